"""What the processes of the distributed tests do; a module that they can import."""

import os
import signal
import socket
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(function, *arguments, world=2):
    """Start `function(rank, world, *arguments)` in `world` processes; their context."""
    port = free_port()
    return mp.start_processes(
        _enter, (function, world, port, arguments), nprocs=world, join=False, start_method="spawn"
    )


def finish(function, *arguments):
    """Run `function` in two processes to its end."""
    context = start(function, *arguments)
    while not context.join():
        pass


def _enter(rank, function, world, port, arguments):
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.set_num_threads(1)
    function(rank, world, *arguments)
    if dist.is_initialized():
        dist.barrier()
    # Without the interpreter's shutdown: gloo's threads do not always survive it.
    os._exit(0)


def half_a_batch(rank, world, cases, out):
    """Loss and gradients of this rank's half of each case, as training computes them."""
    dist.init_process_group("gloo")
    results = []
    for case in cases:
        model, value = one_loss(case, rank, world)
        mean = value.detach().clone()
        dist.all_reduce(mean)
        results.append((float(mean) / world, model.module.layer.weight.grad))
    if rank == 0:
        torch.save(results, out)


def one_loss(case, rank=0, world=1):
    """Loss and gradients of one case: all of it, or a rank's share under DDP."""
    from tests.training.test_loss import Embedder, labels, vectors

    from skillret.training.loss import Teacher, build_loss

    mask, negatives, section, teacher = case
    rows = labels(mask, negatives)
    size = len(rows) // world
    mine = slice(rank * size, (rank + 1) * size)
    model = Embedder()
    loss = build_loss(model, section, Teacher(*teacher) if teacher else None)
    if world > 1:
        inner = model
        model = torch.nn.parallel.DistributedDataParallel(inner)
        # As the trainer of sentence-transformers does it.
        model.get_embedding_dimension = inner.get_embedding_dimension
        for part in loss.modules():
            if hasattr(part, "model"):
                part.model = model
    columns = [{"input_values": vectors(s)[mine]} for s in range(2 + len(negatives))]
    value = loss(columns, rows[mine])
    value.backward()
    return model, value


def evaluate(rank, world, base, dev, out):
    """Evaluation sharded over the ranks."""
    dist.init_process_group("gloo")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util.distributed import distributed_evaluation

    from skillret.training.dev_evaluator import DevEvaluator

    model = SentenceTransformer(base, device="cpu")
    encoded = []
    honest = model._inference
    model._inference = lambda inputs, **k: encoded.append(len(inputs)) or honest(inputs, **k)
    with distributed_evaluation(model) as runs:
        if runs:
            metrics = DevEvaluator(dev, "ask: ", "", 4, "ndcg@10")(model)
    counts = [None] * world
    dist.all_gather_object(counts, sum(encoded))
    if rank == 0:
        torch.save((metrics, counts), out)


def train(rank, world, recipe, output, dies_at, resume=False):
    """A whole run; rank 1 is killed at a step if `dies_at` is not 0.

    `output` is a folder, or one for each rank: nodes that share no file system.
    """
    from skillret.errors import TrainingError
    from skillret.training.run import train as train_
    from skillret.training.trainer import RetrieverTrainer

    if rank == 1 and dies_at:
        honest = RetrieverTrainer.compute_loss

        def compute_loss(self, *args, **kwargs):
            if self.state.global_step + 1 == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return honest(self, *args, **kwargs)

        RetrieverTrainer.compute_loss = compute_loss
    output = Path(output) if isinstance(output, (str, Path)) else output[rank]
    try:
        train_(recipe, output, resume=resume)
    except TrainingError as e:
        (output / f"error-{rank}.txt").write_text(str(e))
        os._exit(1)


def train_and_die(rank, world, recipe, output, where, step):
    """A run on one process that is killed in a step, or while the checkpoint of one is written."""
    from skillret.training.run import train as train_
    from skillret.training.trainer import RetrieverTrainer

    name = "compute_loss" if where == "step" else "_save_optimizer_and_scheduler"
    honest = getattr(RetrieverTrainer, name)

    def dying(self, *args, **kwargs):
        if self.state.global_step + (where == "step") == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return honest(self, *args, **kwargs)

    setattr(RetrieverTrainer, name, dying)
    train_(recipe, Path(output))


def train_reranker(rank, world, recipe, output):
    """A whole run of a reranker."""
    from skillret.training.run import train as train_

    train_(recipe, Path(output))


def reranker_that_dies(rank, world, recipe, output, step):
    """A run on one process that is killed in a step."""
    from skillret.training.run import train as train_
    from skillret.training.trainer import RerankerTrainer

    honest = RerankerTrainer.compute_loss

    def dying(self, *args, **kwargs):
        if self.state.global_step + 1 == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return honest(self, *args, **kwargs)

    RerankerTrainer.compute_loss = dying
    train_(recipe, Path(output))

"""Whole runs on queries that share no word with the skills they need."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from skillret import load_encoder
from skillret.datasets.dataset import load_dataset
from skillret.encoders.profile import Profile
from skillret.errors import DatasetError, EncoderError, InputError, TrainingError
from skillret.retrieval.late import matches
from skillret.skills import document_text
from skillret.training.query_tokens import export
from skillret.training.query_tokens.fit import fit_query_tokens
from skillret.training.query_tokens.load import load_parts, load_reader
from skillret.training.query_tokens.model import maxsim, pad, shares
from skillret.training.query_tokens.prepare import open_data, prepare
from skillret.training.query_tokens.states import open_states
from skillret.training.sections import QueryTokensSection

SETTINGS = QueryTokensSection(
    steps=120,
    batch_size=12,
    candidates=16,
    frozen=0,
    learning_rate=3e-3,
    head_learning_rate=1e-2,
    warmup=5,
    every_steps=60,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums in one order everywhere: a run and its resumption are compared to the byte."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def start(exported, bert, synonyms):
    def fit(output, settings=SETTINGS, **options):
        given = {"encoder": exported, "base": bert, "data": str(synonyms)} | options
        return fit_query_tokens(**given, output=output, settings=settings)

    return fit


@pytest.fixture(scope="module")
def run(start, tmp_path_factory):
    """The folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    start(folder)
    return folder


def rows(folder):
    with (folder / "log.csv").open() as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def trained(run, bert, exported):
    """The reader of a run's last checkpoint."""
    _, _, projection = load_parts(exported)
    made = load_reader(bert, projection, SETTINGS.frozen)
    made.load_state_dict(torch.load(run / "checkpoint.pt", weights_only=True)["reader"])
    return made.eval(), torch.from_numpy(projection.silent)


def token_vectors(reader, silent, encoder, query):
    """Vectors of a query's tokens, each as long as it counts, float32 `(q, k)`."""
    (ids,) = encoder.tokenize([query], "", encoder.profile.max_query_tokens)
    input_ids, mask = pad([ids])
    with torch.no_grad():
        vectors, weights = reader(input_ids, mask)
        told = shares(weights, ~torch.isin(input_ids, silent))[0]
    said = told > 0
    return (vectors[0][said] * (told[said] * said.sum())[:, None]).numpy()


def test_words_that_no_skill_holds_find_the_skills_that_they_mean(run):
    log = rows(run)
    assert [row["step"] for row in log] == [0, 60, 120]
    assert log[2]["residual"] < log[1]["residual"]
    assert log[2]["pure"] < log[1]["pure"]
    before, after = log[0], log[2]
    assert after["ndcg@10+0"] == before["ndcg@10+0"]
    # Of concepts in pairs that the training never saw.
    assert after["ndcg@10+12"] > before["ndcg@10+12"] + 0.2


def test_it_says_what_it_was_made_of(run, synonyms):
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["settings"]["steps"] == 120
    assert record["data"]["train"]["data"] == str(synonyms)
    assert record["data"]["train"]["queries"] == 50
    assert len(record["base"]["weights_sha256"]) == 64
    assert record["result"]["ndcg@10+12"] == pytest.approx(rows(run)[-1]["ndcg@10+12"], abs=1e-5)
    assert "torch" in record["versions"]


def test_the_model_reads_queries_as_what_was_trained(run, bert, exported):
    reader, silent = trained(run, bert, exported)
    encoder = load_encoder(run / "model")
    queries = ["please badofi with gu", "kemina", "today use rawa vo"]
    for query, made in zip(queries, encoder.encode_tokens(queries), strict=True):
        exact = token_vectors(reader, silent, encoder, query)
        lengths = [np.linalg.norm(vectors, axis=1) for vectors in (made.late, exact)]
        cosines = (made.late * exact).sum(axis=1) / (lengths[0] * lengths[1])
        assert cosines.min() > 0.99  # int8
        np.testing.assert_allclose(*lengths, rtol=0.15)


def test_documents_stay_what_they_were_but_for_their_tokens(run, exported):
    encoder, before = load_encoder(run / "model"), load_encoder(exported)
    made, known = (e.encode_document_tokens(["badofi does it", "vo"]) for e in (encoder, before))
    np.testing.assert_array_equal(made.vectors, known.vectors)
    assert [t.shape for t in made.tokens] == [t.shape for t in known.tokens]
    assert any((a != b).any() for a, b in zip(made.tokens, known.tokens, strict=True))
    assert encoder.profile.identity != before.profile.identity


def test_the_engine_orders_documents_as_training_does(
    run, bert, exported, synonyms, tmp_path, monkeypatch
):
    write = export.write_graph
    monkeypatch.setattr(
        export, "write_graph", lambda *args, **kwargs: write(*args, **kwargs | {"quantize": False})
    )
    reader, silent = trained(run, bert, exported)
    reader.encoder.set_attn_implementation("eager")
    _, _, projection = load_parts(exported)
    export.export_query_tokens(reader, projection, exported, tmp_path / "float")
    encoder, dev = load_encoder(tmp_path / "float"), load_dataset(synonyms, "dev")
    texts = [document_text(skill, encoder.profile.template) for skill in dev.skills]
    held = encoder.encode_document_tokens(texts).tokens
    with torch.no_grad():
        states, there = open_states(run / "data", "dev").of(range(len(texts)))
        documents = reader.documents(states)
    for query in dev.queries:
        asked = torch.from_numpy(token_vectors(reader, silent, encoder, query.text))
        share = torch.full((len(asked),), 1 / len(asked))
        exact = maxsim(asked, share, documents, there).numpy()
        (read,) = encoder.encode_tokens([query.text])
        found = matches(read.late, held).mean(axis=1)
        np.testing.assert_allclose(found, exact, atol=0.02)  # documents are int8
        order = np.argsort(-found)
        assert (np.diff(exact[order]) < 0.02).all()
        assert order[0] == exact.argmax()


def test_a_run_that_was_stopped_goes_on_where_it_was(start, run, tmp_path):
    output = tmp_path / "run"

    def stop(line):
        if line.startswith("step 85:"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(output, say=stop)
    assert json.loads((output / "run.json").read_text())["status"] == "stopped"
    lines = []
    start(output, resume=True, say=lines.append)
    assert "going on from step 60" in lines
    assert not any("documents of" in line for line in lines)  # nothing is read again
    assert (output / "log.csv").read_bytes() == (run / "log.csv").read_bytes()
    for name in ("query_tokens.onnx.data", "token_projection.npz", "profile.json"):
        assert (output / "model" / name).read_bytes() == (run / "model" / name).read_bytes()


def test_a_run_that_was_stopped_before_its_first_step_begins_again(start, tmp_path):
    def stop(line):
        if "documents of dev" in line:
            raise KeyboardInterrupt

    few = replace(SETTINGS, steps=2)
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "run", few, say=stop)
    assert start(tmp_path / "run", few, resume=True).is_dir()


def test_queries_that_the_encoder_knows_and_kinds_weigh_as_they_are_told(
    exported, bert, synonyms, tmp_path
):
    encoder, ranker, _ = load_parts(exported)
    seen = tmp_path / "seen"
    shutil.copytree(synonyms, seen)
    settings = replace(SETTINGS, weights=("other=3",), seen_weight=0.5, seen_outputs=0.25)
    data = open_data(synonyms, seen, settings)
    assert data.facts["seen"]["queries"] == 50
    groups = prepare(data, encoder, ranker, settings, tmp_path / "data").groups
    assert {g.sure for g in groups} == {0.25}
    assert {g.weight for g in groups} == {0.5, 1.5}
    unknown = open_data(synonyms, None, replace(settings, shares=("other=0",), max_queries=5))
    assert {q.extra["kind"] for q in unknown.train.queries} == {"plain"}
    assert len(unknown.dev.queries) == 5


def test_a_folder_in_use_is_not_touched(start, run):
    with pytest.raises(InputError, match="not empty"):
        start(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 7}, r"cannot resume: query_tokens\.steps was 120 and is 7 now"),
        ({"weights": ("x=2",)}, r"cannot resume: query_tokens\.weights was \[\] and is"),
    ],
)
def test_a_run_goes_on_with_its_settings_alone(start, run, change, message):
    with pytest.raises(InputError, match=message):
        start(run, replace(SETTINGS, **change), resume=True)


def test_a_run_goes_on_with_its_data_alone(start, run, synonyms, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(synonyms, other)
    with pytest.raises(InputError, match="cannot resume: data of the run"):
        start(run, data=str(other), resume=True)


def test_there_must_be_something_to_resume(start, tmp_path):
    with pytest.raises(InputError, match=r"nothing to resume: .* holds no run\.json"):
        start(tmp_path / "run", resume=True)


def test_a_damaged_checkpoint_is_said_to_be_one(start, run, tmp_path):
    output = tmp_path / "run"
    shutil.copytree(run, output)
    (output / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match="cannot read the checkpoint"):
        start(output, resume=True)


def test_a_batch_must_be_there(start, tmp_path):
    with pytest.raises(DatasetError, match=r"\d+ queries of .*; a batch has 64: lower query_tok"):
        start(tmp_path / "run", replace(SETTINGS, batch_size=64))


def test_the_base_must_be_the_encoder(start, bert, tmp_path):
    from safetensors.torch import load_file, save_file

    other = tmp_path / "other"
    shutil.copytree(bert, other)
    weights = load_file(other / "model.safetensors")
    generator = torch.Generator().manual_seed(1)
    changed = {k: torch.randn(v.shape, generator=generator) for k, v in weights.items()}
    save_file(changed, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match="was not exported from the base model"):
        start(tmp_path / "run", base=other)


def test_the_base_must_be_a_bert(start, qwen, tmp_path):
    with pytest.raises(InputError, match="'qwen3', not 'bert'"):
        start(tmp_path / "run", base=qwen)
    with pytest.raises(InputError, match="is no folder of a model"):
        start(tmp_path / "run", base=tmp_path / "nowhere")


def test_only_so_many_layers_can_stay(start, tmp_path):
    with pytest.raises(InputError, match=r"query_tokens\.frozen is 3; allowed: at most 2"):
        start(tmp_path / "run", replace(SETTINGS, frozen=3))


def test_the_encoder_must_show_tokens_and_have_a_ranker(start, exported, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(exported, bare)
    (bare / "calibration.json").unlink()
    with pytest.raises(InputError, match=r"has no calibration: fit one with skillret calibrate"):
        start(tmp_path / "run", encoder=bare)
    profile = Profile.load(bare / "profile.json")
    profile = replace(profile, token_dim=0, token_projection="")
    (bare / "profile.json").write_text(json.dumps(profile.to_json()))
    with pytest.raises(InputError, match="has no token_dim"):
        start(tmp_path / "run", encoder=bare)

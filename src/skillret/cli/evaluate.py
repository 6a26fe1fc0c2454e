"""`skillret evaluate`."""

from __future__ import annotations

import argparse
import json

from skillret.cli.common import (
    DATASET_HELP,
    add_calibration,
    add_file_library,
    add_judgements,
    add_model_arguments,
    add_reranker,
    check_output,
    fit_ranker_command,
    given_judgements,
    note,
    print_json,
    printable,
    progress_bar,
)
from skillret.datasets.dataset import load_dataset
from skillret.datasets.judgements import merge_labels
from skillret.encoders import DEFAULT_MODEL, Encoder, load_encoder
from skillret.errors import InputError
from skillret.evaluation.costs import About, write_about
from skillret.evaluation.evaluator import DEFAULT_GROUPS, Result, evaluate, score
from skillret.evaluation.judged import Judged
from skillret.evaluation.metrics import metric_names
from skillret.evaluation.pages import prepare_folder
from skillret.evaluation.runs import check_ids, read_run, write_run
from skillret.evaluation.sets import SHOWN_FIXED, Sets
from skillret.extras import require
from skillret.files import expand, write_text
from skillret.messages import counted
from skillret.retrieval.calibration import Calibration, load_calibration
from skillret.retrieval.rerank import load_reranker
from skillret.types import Mode

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  skillret evaluate path/to/data --split dev
  skillret evaluate path/to/data --split dev --mode dense --model BAAI/bge-small-en-v1.5
  skillret evaluate path/to/data --split dev --lexical bm25s
  skillret evaluate path/to/data --split dev --rerank runs/reranker-minilm-cpu/model
  skillret evaluate .claude/skills
  skillret evaluate queries.csv --library .claude/skills
  skillret evaluate ThakiCloud/SKILLRET --split test --json result.json --run system.run
  skillret evaluate path/to/data --split dev --report report
  skillret evaluate path/to/data --split dev --from-run system.run
  skillret evaluate path/to/data --split dev --from-run system.run --judgements judged.jsonl

Equal scores keep the order in which the system returned them, in a run that of its ranks.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help=DATASET_HELP,
    )
    parser.add_argument(
        "--split", help="default: test; folders of skills and query files have only one"
    )
    add_file_library(parser)
    parser.add_argument("--mode", choices=("hybrid", "dense", "lexical"), help="default: hybrid")
    parser.add_argument(
        "--lexical",
        choices=("skillret", "bm25s"),
        default="skillret",
        help="bm25s: the BM25 of the paper's table, which is lexical mode (default: our own)",
    )
    add_model_arguments(parser)
    add_reranker(parser)
    add_calibration(parser)
    parser.add_argument("--k", default="5,10,15", metavar="K,...", help="default: 5,10,15")
    parser.add_argument(
        "--group",
        action="append",
        metavar="COLUMN",
        help="report groups by a column of the queries or their gold skills, repeatable"
        " (default: kind, k)",
    )
    add_judgements(parser)
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON; - is stdout")
    parser.add_argument(
        "--report", metavar="DIR", help="write report.html and its figures into a folder"
    )
    parser.add_argument(
        "--run",
        metavar="FILE",
        help="write what was returned as a TREC run, and into FILE.json which system it is of, its"
        " speed and size, for `skillret compare`",
    )
    parser.add_argument("--from-run", metavar="FILE", help="score this TREC run instead")
    parser.add_argument(
        "--allow-missing", action="store_true", help="drop gold labels whose skill is not there"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    try:
        cuts = tuple(sorted({int(part) for part in args.k.split(",")}))
    except ValueError:
        raise InputError(f"--k takes whole numbers with commas, got {args.k!r}") from None
    metric_names(cuts)
    reference = ("bm25s",) if args.lexical == "bm25s" and not args.from_run else ()
    require("evaluate", "evaluation", ("pytrec_eval", *reference))
    group_by = tuple(args.group or DEFAULT_GROUPS)
    folder = prepare_folder(args.report) if args.report else None
    run_file = check_output(args.run) if args.run else None
    json_file = check_output(args.json) if args.json and args.json != "-" else None
    files = [args.run, args.run and args.run + ".json", args.json, args.from_run]
    given = [expand(name).absolute() for name in files if name and name != "-"]
    if len(set(given)) < len(given):
        raise InputError(
            "--run (with its FILE.json), --json and --from-run name one file twice; give each its"
            " own"
        )
    mode: Mode = args.mode or ("lexical" if args.lexical == "bm25s" else "hybrid")
    if args.calibration and (mode != "hybrid" or args.from_run):
        raise InputError("--calibration is for hybrid mode: nothing else is fitted")
    if args.reranker and (mode != "hybrid" or args.from_run):
        raise InputError("--rerank is for hybrid mode: nothing else is reranked")
    judgements = given_judgements(args)
    reranker = load_reranker(args.reranker)
    encoder: Encoder | None = None
    calibration: Calibration | None = None
    if mode != "lexical" and not args.from_run:
        # Before the data is read: a model that is not there, or that needs what is not installed.
        encoder = load_encoder(args.model, trust_remote_code=args.trust_remote_code)
        calibration = load_calibration(encoder, args.calibration) if mode == "hybrid" else None
        if mode == "hybrid" and calibration is None:
            command = fit_ranker_command("DATASET", args.model)
            note(f"{args.model} has no ranker, cosine and BM25 are added up; to fit one: {command}")
    dataset = load_dataset(
        args.dataset, args.split, libraries=args.library, allow_missing=args.allow_missing
    )
    if run_file is not None:
        check_ids([*(q.id for q in dataset.queries), *(s.id for s in dataset.skills)])
    if args.from_run:
        file = expand(args.from_run)
        labels = merge_labels(dataset, judgements, also=args.also)
        result = score(
            dataset,
            read_run(file),
            "run",
            file.name,
            cuts,
            group_by,
            labels=labels,
            least_grade=args.least_grade,
        )
    else:
        with (
            progress_bar("encoding", "skill") as progress,
            progress_bar("searching", "query") as searched,
        ):
            result = evaluate(
                dataset,
                mode=mode,
                lexical=args.lexical,
                model=encoder or DEFAULT_MODEL,
                calibration=calibration,
                reranker=reranker,
                cuts=cuts,
                group_by=group_by,
                judgements=judgements,
                also=args.also,
                least_grade=args.least_grade,
                progress=progress,
                searched=searched,
            )
    for remark in result.notes:
        note(remark)
    if run_file is not None:
        write_run(result.run, run_file, f"skillret-{result.mode}")
        if result.cost is not None:
            own = tuple(remark for remark in result.notes if remark not in dataset.notes)
            write_about(run_file, About(f"{result.model}, {result.mode}", result.cost, own))
    if folder is not None:
        from skillret.evaluation.report import write_report

        note(f"the report is {write_report(dataset, result, folder, cuts)}")
    if args.json == "-":
        print_json(result.to_json())
        return 0
    if json_file is not None:
        text = json.dumps(result.to_json(), ensure_ascii=False, indent=2, allow_nan=False)
        write_text(json_file, text + "\n")
    _print(result, cuts)
    return 0


def _print(result: Result, cuts: tuple[int, ...]) -> None:
    head = (
        f"{result.dataset}, revision {result.revision}, {result.split}:"
        f" {counted(result.n_queries, 'query')},"
        f" {counted(result.n_skills, 'skill')}; {result.mode}, {result.model}"
    )
    print(printable(head) + "\n")
    families = ("ndcg", "recall", "completeness", "map", "mrr", "precision")
    print(f"{'':14}" + "".join(f"{'@' + str(k):>9}" for k in cuts))
    for family in families:
        values = "".join(f"{result.metrics[f'{family}@{k}']:>9.4f}" for k in cuts)
        print(f"{family:14}{values}")
    print(f"{'hit':14}{result.metrics['hit@1']:>9.4f}  (@1)")
    if result.abstention is not None:
        a = result.abstention
        print(
            f"\nabstention: AUROC {a.auroc:.4f} by the {a.score}; with 95 % of"
            f" {counted(a.n_negatives, 'needless query')} turned away, {100 * a.kept_at_95:.1f} %"
            " of the needed are kept"
        )
    if result.near_misses is not None:
        a = result.near_misses
        if result.abstention is None:
            print()
        print(
            f"abstention: not told by {counted(a.n_negatives, 'near miss')} of single skills, which"
            f" another skill may fit (AUROC {a.auroc:.4f} by the {a.score}; more in --json)"
        )
    if result.judged is not None:
        _print_judged(result.judged, cuts)
    if result.sets is not None:
        _print_sets(result.sets)
    if result.groups:
        k = cuts[min(1, len(cuts) - 1)]
        shown = [f"{f}@{k}" for f in families[:3]]
        width = max(len(printable(name)) for name in result.groups) + 2
        print(f"\n{'':{width}}{'queries':>9}" + "".join(f"{name:>17}" for name in shown))
        for name, group in result.groups.items():
            cells = "".join(f"{group[metric]:>17.4f}" for metric in shown)
            print(f"{printable(name):{width}}{int(group['n_queries']):>9}{cells}")


_JUDGED = {
    "ndcg": "with grades",
    "condensed_ndcg": "condensed",
    "precision": "precision",
    "mrr": "mrr",
}


def _print_judged(judged: Judged, cuts: tuple[int, ...]) -> None:
    if "hit@1" in judged.metrics:
        labels = ", ".join(f"{n} of grade {grade}" for grade, n in judged.counts.items())
        print(f"\nby all labels of {counted(judged.n_queries, 'query')}: {labels}")
        if judged.least > 1:
            print(f"right in hit, mrr, precision and bpref: from grade {judged.least} on")
        print(f"{'':14}" + "".join(f"{'@' + str(k):>9}" for k in cuts))
        own = judged.own
        rows = {"ndcg, own": [own[f"ndcg@{k}"] for k in cuts]} if own else {}
        for family, title in _JUDGED.items():
            if f"{family}@{cuts[0]}" in judged.metrics:
                rows[title] = [judged.metrics[f"{family}@{k}"] for k in cuts]
        for name, values in rows.items():
            print(f"{name:14}" + "".join(f"{value:>9.4f}" for value in values))
        beside = f"; {own['hit@1']:.4f} by the own labels" if own else ""
        print(f"{'hit':14}{judged.metrics['hit@1']:>9.4f}  (@1{beside})")
        if "bpref" in judged.metrics:
            print(f"{'bpref':14}{judged.metrics['bpref']:>9.4f}")
    shares = ", ".join(
        f"{100 * judged.metrics[f'unjudged@{k}']:.1f} % of the first {k}" for k in cuts
    )
    print(f"\nnever judged: {shares}")


def _print_sets(sets: Sets) -> None:
    columns = ("precision", "recall", "completeness", "size")
    print(f"\n{'':14}" + "".join(f"{c:>14}" for c in columns))
    rows = {"selected": sets.selected} | {f"first {k}": sets.fixed[k] for k in SHOWN_FIXED}
    for name, values in rows.items():
        print(f"{name:14}" + "".join(f"{values[c]:>14.4f}" for c in columns))
    told = f"{100 * sets.kept:.1f} % of the queries that need a skill get a set"
    if sets.turned_away is not None:
        told += f"; {100 * sets.turned_away:.1f} % of {sets.n_needless} needless ones get none"
    if sets.near_turned_away is not None:
        near = counted(sets.n_near_misses, "near miss")
        told += f"; {100 * sets.near_turned_away:.1f} % of {near} get none"
    print(told)
    for eagerness, of in sets.named.items():
        line = f"named at a prompt, {eagerness}: a right skill at {100 * of['right']:.1f} %"
        if "needless" in of:
            line += f", any skill at {100 * of['needless']:.1f} % of the needless ones"
        print(line)

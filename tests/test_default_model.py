"""What users count on of the packaged model, beside the figures of docs/default-model.md."""

import shutil

import pytest

from skillret import Retriever
from skillret.calibration.written import written
from skillret.datasets.dataset import load_dataset
from skillret.retrieval.searcher import Searcher
from tests.conftest import ROOT, write_skill

# Written apart from those that the model was fitted on.
TALK = """
ok | okay | yes | no | yep | continue | go on | go ahead | thx | thanks | thanks! | perfect | great
thank you so much | lol | hi | hello | hello there | hey | good morning | never mind | stop | cool
try again | what? | why? | looks good to me | lgtm | nice work | see you tomorrow | sounds good
do it | yes please | please proceed | that's wrong | undo that | hmm | wow | done? | are you there?
I don't understand | explain that again | say it shorter | what did you change? | run it again
same again | haha nice | great, merging it | let me think about it | ask me tomorrow | I'm back
one sec | brb
"""


@pytest.fixture(scope="module")
def retriever():
    with Retriever.open(library=ROOT / "examples" / "skills") as opened:
        yield opened


def test_turns_of_a_conversation_need_no_skill(retriever):
    turns = [t.strip() for line in TALK.strip().splitlines() for t in line.split(" | ")]
    assert not set(turns) & set(written("turns"))
    taken = [t for t in turns if retriever.select(t).hits]
    assert len(taken) <= 0.1 * len(turns), taken


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("mach aus diesem gescannten PDF eine Tabelle", "scanned-pdf-to-spreadsheet"),
        ("meine Pods starten ständig neu, finde heraus warum", "kubernetes-debugging"),
        ("convierte este PDF escaneado en una hoja de cálculo", "scanned-pdf-to-spreadsheet"),
        ("écris les notes de version à partir des commits", "release-notes"),
        ("把这份扫描的PDF转成表格", "scanned-pdf-to-spreadsheet"),
    ],
)
def test_other_languages_are_read_word_by_word(retriever, query, name):
    assert [hit.name for hit in retriever.select(query)] == [name]


@pytest.mark.parametrize(
    "query",
    ["danke, das hat geklappt", "gracias, perfecto", "merci, c'est bon", "谢谢", "好的,继续"],
)
def test_other_languages_need_no_skill_to_chat(retriever, query):
    assert not retriever.select(query).hits


def test_skills_in_the_language_of_a_query_are_found(tmp_path):
    for name, description in {
        "facture": "Rédige des factures pour indépendants.",
        "recette": "Propose des recettes pour le dîner.",
        "rechnung": "Erstellt Rechnungen für Freiberufler.",
        "reise": "Plant Reisen mit der Bahn.",
        "seikyusho": "請求書の宛名と金額を確認する。",
        "stars": "Names stars.",
    }.items():
        write_skill(tmp_path, name, description)
    retriever = Retriever.open(library=tmp_path)
    for query, name in {
        "une facture pour mon client": "facture",
        "j'ai besoin d'une facture": "facture",
        "une recette pour ce soir": "recette",
        "ich brauche eine Rechnung": "rechnung",
        "請求書": "seikyusho",
    }.items():
        assert [hit.name for hit in retriever.select(query)] == [name], query


def test_a_bare_name_gets_the_few_skills_that_hold_it(tmp_path):
    for name, description in {
        "it-helpdesk": "Answers IT helpdesk tickets.",
        "who-data": "Downloads health statistics from the WHO.",
        "csharp": "Reviews C# code: async/await, LINQ.",
        "cpp": "Reviews C++ code: RAII, templates.",
        "ci-cd": "Sets up pipelines.",
    }.items():
        write_skill(tmp_path, name, description)
    retriever = Retriever.open(library=tmp_path)
    for query, names in {
        "IT": ["it-helpdesk"],
        "IT ticket": ["it-helpdesk"],
        "the WHO": ["who-data"],
        "C#": ["csharp"],
        "it": [],
        "who": [],
        "R": [],
    }.items():
        assert [hit.name for hit in retriever.select(query)] == names, query


def test_casual_requests_get_their_skill(retriever):
    data = load_dataset(ROOT / "examples" / "skills")
    learnt = {*written("tasks"), *written("idle")}
    assert not {q.text for q in data.queries} & learnt  # a test, not seen in the fit
    names = {skill.id: skill.name for skill in data.skills}
    right = 0
    for query in data.queries:
        wanted = {names[skill] for skill in data.qrels[query.id]}
        right += any(hit.name in wanted for hit in retriever.select(query.text).hits)
    assert right >= 0.75 * len(data.queries), f"{right} of {len(data.queries)}"


def test_asking_politely_changes_little(retriever):
    data = load_dataset(ROOT / "examples" / "skills")
    tasks = [q.text[0].lower() + q.text[1:].rstrip(".?!") for q in data.queries]
    plain = sum(bool(retriever.select(task).hits) for task in tasks)
    # Other ways than those that the probe was fitted on.
    for way in ("would you mind helping me {}", "is there a way to {}?", "I need someone to {}"):
        polite = sum(bool(retriever.select(way.format(task)).hits) for task in tasks)
        assert polite >= plain - 0.05 * len(tasks), way


@pytest.mark.parametrize(
    ("done", "missing"),
    [
        ("shrink my docker image", "review the Solidity smart contract for reentrancy"),
        ("plan a trip to Lisbon", "write a GLSL shader for the water"),
        ("", "migrate our Oracle stored procedures to BigQuery"),
    ],
)
def test_what_no_skill_does_is_told(retriever, done, missing):
    selection = retriever.select(f"{done} and {missing}" if done else missing)
    assert selection.missing == (missing,)
    assert len(selection) == bool(done)
    assert retriever.select(done or "thanks, that was all").missing == ()


def test_a_skill_is_had_by_its_name(tmp_path):
    for name in ("commit", "wallet", "api-keys"):
        write_skill(tmp_path, name, f"Use it for {name[::-1]}.", "Some text.")
    with Retriever.open(library=tmp_path) as opened:
        for query in ("commit", "Wallet", "/api_keys", "API keys"):
            (hit,) = opened.select(query).hits[:1]
            assert hit.name == query.strip("/").lower().replace(" ", "-").replace("_", "-")
        assert not opened.select("thanks").hits


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("Turn this PDF into Excel", ["scanned-pdf-to-spreadsheet"]),
        ("pull the data out of this PDF into Excel", ["scanned-pdf-to-spreadsheet"]),
        ("fix a live cluster", ["kubernetes-debugging"]),
        ("list what changed in this version", ["release-notes"]),
        ("send a bill to my client", ["invoice-generator"]),
    ],
)
def test_what_a_skill_is_not_for_does_not_attract(retriever, query, right):
    assert [hit.name for hit in retriever.select(query).hits] == right


@pytest.mark.parametrize(
    ("query", "right"),
    [
        (
            "Please translate the following message to French, keep the tone friendly:\n\n> Hi all,"
            " the release notes are out. The pods kept restarting, so we rolled back Terraform.",
            [],
        ),
        (
            "write release notes from these:\n- fix: total of the PDF invoice\n- feat: faster React"
            " search\n- chore: smaller docker image",
            ["release-notes"],
        ),
        (
            "make an invoice from this:\n2h kubernetes debugging 190\n3h SQL tuning 285",
            ["invoice-generator"],
        ),
    ],
)
def test_what_something_is_made_of_does_not_attract(retriever, query, right):
    assert [hit.name for hit in retriever.select(query).hits] == right


def test_short_forms_are_the_words_that_they_stand_for(tmp_path):
    write_skill(tmp_path, "bundles", "Shrinks JavaScript bundles by code splitting.")
    write_skill(tmp_path, "plural-rules", "Internationalization: plural rules and locale files.")
    write_skill(tmp_path, "heap-dumps", "Finds memory leaks in Java programs.")
    with Retriever.open(library=tmp_path) as opened:
        for query, name in (("my JS is too big", "bundles"), ("add i18n", "plural-rules")):
            assert [hit.name for hit in opened.select(query).hits] == [name]


def test_what_a_skill_is_not_for_hands_it_over_to_nobody(tmp_path):
    attracted = {
        "turn this PDF into Excel": "pdf-form-filling",
        "fix a live cluster": "incident-postmortem",
    }
    for name in (*attracted.values(), "technical-blog-post"):
        shutil.copytree(ROOT / "examples" / "skills" / name, tmp_path / name)
    with Retriever.open(library=tmp_path) as opened:
        for query, name in attracted.items():
            assert name not in [hit.name for hit in opened.select(query).hits]


@pytest.mark.parametrize(
    "request_",
    [
        "shrink my docker image and write the release notes",
        "Shrink my docker image. After that, write the release notes from the commits.",
    ],
)
def test_each_of_two_tasks_gets_its_skill(retriever, request_):
    hits = retriever.select(request_).hits
    assert {"dockerfile-slimming", "release-notes"} <= {h.name for h in hits}
    assert [h.rank for h in hits] == list(range(1, len(hits) + 1))
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert len({h.id for h in hits}) == len(hits)
    assert len(retriever.select(request_, limit=1).hits) == 1


def test_parts_add_only_what_is_new_and_likely(retriever, tmp_path, monkeypatch):
    asked, rank = [], Searcher.rank

    def counted(self, query, *arguments, **options):
        asked.append(query)
        return rank(self, query, *arguments, **options)

    monkeypatch.setattr(Searcher, "rank", counted)
    slim, notes = "shrink my docker image", "write the release notes"
    retriever.select(slim)
    assert asked == [slim]
    asked.clear()
    hits = retriever.select(f"{slim} and {slim} and thanks").hits
    assert len({h.id for h in hits}) == len(hits)
    asked.clear()
    retriever.select(". ".join([slim, notes, "plan my meals", "review my code", "fix the build"]))
    assert len(asked) == 1  # five tasks are a story, not a list
    # A copy under another name is no second skill.
    for folder in ("dockerfile-slimming", "release-notes"):
        text = (ROOT / "examples" / "skills" / folder / "SKILL.md").read_text()
        for name in (folder, f"{folder}-2"):
            (tmp_path / name).mkdir()
            copy = text.replace(f"name: {folder}", f"name: {name}") + f"\n{name}\n"
            (tmp_path / name / "SKILL.md").write_text(copy)
    with Retriever.open(library=tmp_path) as opened:
        assert len(opened.select(f"{slim} and {notes}").hits) == 2


def test_every_task_of_a_list_gets_its_skill(retriever):
    tasks = {
        "turn this scanned PDF into a spreadsheet": "scanned-pdf-to-spreadsheet",
        "fix my crashing kubernetes pods": "kubernetes-debugging",
        "pick colours for my app": "color-palette",
        "review the literature on sleep": "literature-review",
        "write the release notes": "release-notes",
    }
    for text in ("\n".join(tasks), "\n".join(f"- {task}" for task in tasks), ", ".join(tasks)):
        found = {hit.name for hit in retriever.select(text)}
        assert len(found & {*tasks.values()}) >= 4, text


@pytest.mark.parametrize(
    "form",
    [
        "{y}, not {noun}",
        "{y}, don't {x}",
        "{y} but please don't {x}",
        "don't {x}, {y}",
        "{y} rather than {doing}",
        "{y}. I don't want {noun}.",
        "no need to {x}, just {y}",
        "stop {doing} and {y}",
    ],
)
def test_what_is_not_asked_for_is_not_handed_over(retriever, form):
    wanted = {"write release notes": "release-notes", "review my code": "code-review"}
    others = {
        "write a blog post": ("writing a blog post", "a blog post"),
        "scrape a website": ("scraping a website", "a website scraper"),
    }
    for y, name in wanted.items():
        for x, (doing, noun) in others.items():
            query = form.format(y=y, x=x, doing=doing, noun=noun)
            assert [hit.name for hit in retriever.select(query)] == [name], query


def test_skills_that_a_query_names_are_handed_over(retriever):
    chosen = retriever.select("run csv-profiling, then csv-cleaning on data.csv")
    assert {hit.name for hit in chosen} == {"csv-profiling", "csv-cleaning"}


@pytest.mark.parametrize("separator", [", ", "; ", " and then "])
def test_tasks_in_one_line_get_their_skills(retriever, separator):
    query = separator.join(["tune this SQL query", "fill in a PDF form", "write release notes"])
    names = {"sql-query-tuning", "pdf-form-filling", "release-notes"}
    assert {hit.name for hit in retriever.select(query)} == names

"""What all adapters share, over a `Retriever` and over a `Client` of a real service."""

import json

import pytest

from skillret import AsyncClient, Client, Index, Retriever
from skillret.adapters.source import SkillSource
from skillret.adapters.tools import SkillTools
from skillret.errors import InputError
from skillret.serving.http.app import Options, create_app
from skillret.serving.libraries import Libraries
from skillret.serving.service import Service
from tests.conftest import SKILLS, make_skill, write_skill
from tests.served import served

OWN = make_skill("deploy", "Deploy the pods to production.", user_only=True)
ODD = make_skill(
    "odd\u202e", "Hidden \U000e0041 words\x1b[31m.", "Body \u202e end.\r\nNext", id="odd"
)


@pytest.fixture(scope="module")
def index():
    index = Index.in_memory()
    index.add([*SKILLS, OWN, ODD])
    return index


@pytest.fixture(scope="module")
def url(index, tmp_path_factory):
    """A service of the same skills."""
    place = tmp_path_factory.mktemp("served")
    app = create_app(Service(Libraries(place, lambda: Retriever(index))), Options(page=False))
    with served(app) as url:
        yield url


@pytest.fixture(params=["retriever", "client"])
def source(request, index):
    if request.param == "retriever":
        yield Retriever(index)
    else:
        with Client(request.getfixturevalue("url")) as client:
            yield client


@pytest.fixture
def folder(tmp_path):
    """A library on disk, where one skill has files."""
    folder = tmp_path / "skills"
    file = write_skill(folder, "pdf-tables", "Extract tables from PDF files.", "Use OCR.")
    (file.parent / "scripts").mkdir()
    (file.parent / "scripts" / "run.py").write_text("print('\x1b[31m')\n")
    (file.parent / "scan.bin").write_bytes(b"\0\1\2")
    (file.parent / "out.txt").symlink_to("/etc/passwd")
    write_skill(folder, "meal-planner", "Plan meals.")
    return folder


def test_the_nearest_are_found_or_those_that_fit(source):
    assert len(SkillSource(source, k=3).find("get tables out of a PDF")) == 3
    chosen = SkillSource(source, k=3, select=True)
    assert [hit.name for hit in chosen.find("get tables out of a PDF")] == ["pdf-tables"]
    assert chosen.find("thanks, that was all") == []
    assert len(chosen.find("get tables out of a PDF and debug crashing pods", 1)) == 1


def test_what_fits_comes_before_what_is_near(source):
    hits, fitting = SkillSource(source, k=3).look_up("get tables out of a PDF")
    assert (hits[0].id, len(hits)) == ("pdf-tables", 3)
    assert fitting == {"pdf-tables"}


def test_metadata_narrow_the_search(source):
    assert SkillSource(source, where={"team": "none"}).find("get tables out of a PDF") == []


def test_what_only_the_user_may_start_no_agent_gets(source):
    skills = SkillSource(source, k=6)
    query = "deploy the pods to production"
    assert source.search(query)[0].id == "deploy"
    assert len(SkillSource(source, k=2).find(query)) == 2
    assert len(SkillSource(source, k=2).look_up(query)[0]) == 2
    assert "deploy" not in [hit.id for hit in skills.find(query)]
    assert "deploy" not in [hit.id for hit in skills.look_up(query)[0]]
    assert "deploy" not in [skill.id for skill in skills.all()]
    with pytest.raises(InputError, match="no skill 'deploy'"):
        skills.get("deploy")
    with pytest.raises(InputError, match="named 'deploy'"):
        skills.named("deploy")


def test_hidden_characters_are_seen(source):
    skills = SkillSource(source, k=6)
    skill = skills.named("odd\ufffd")
    assert skill.description == "Hidden \ufffd words\ufffd[31m."
    assert skill.body == "Body \ufffd end.\nNext"
    (hit,) = [hit for hit in skills.find("odd hidden words") if hit.id == skill.id]
    assert (hit.name, hit.description) == (skill.name, skill.description)


def test_a_skill_is_read_by_id_or_by_name(source):
    skills = SkillSource(source)
    assert skills.get("pdf-tables").body == "Use OCR for scans."
    assert skills.named("pdf-tables").id == "pdf-tables"
    for wrong in ("nothing", "a/../b", "", "%2e"):
        with pytest.raises(InputError):
            skills.get(wrong)
        with pytest.raises(InputError, match="search for one"):
            skills.named(wrong)


def test_of_equal_names_the_one_that_was_found_is_read(tmp_path):
    index = Index.in_memory()
    twins = [
        make_skill("twin", "Bake bread.", "Flour.", id="a"),
        make_skill("twin", "Repair bicycles.", "Tools.", id="b"),
    ]
    index.add(twins)
    skills = SkillSource(Retriever(index))
    assert skills.named("twin").id == "a"
    skills.find("my bicycle needs to be repaired")
    assert skills.named("twin").id == "b"
    skills.find("bake bread")
    assert skills.named("twin").id == "a"


def test_what_is_remembered_is_bounded(monkeypatch, index):
    monkeypatch.setattr("skillret.adapters.source._REMEMBERED", 2)
    skills = SkillSource(Retriever(index), k=6)
    best = skills.find("get tables out of a PDF")
    assert list(skills._ids) == [best[1].name, best[0].name]
    assert skills.named(best[3].name).id == best[3].id


def test_files_lie_in_the_folder_of_their_skill(folder, tmp_path):
    with Retriever.open(library=folder, index=tmp_path / "index.db") as retriever:
        skills = SkillSource(retriever)
        skill = skills.named("pdf-tables")
        assert skills.files(skill) == ["scan.bin", "scripts/run.py"]
        assert skills.file(skill, "scan.bin") == b"\0\1\2"
        for wrong in ("out.txt", "../meal-planner/SKILL.md", "/etc/passwd", "none.md"):
            with pytest.raises(InputError):
                skills.file(skill, wrong)


def test_no_file_of_this_machine_is_read_because_a_service_names_it(folder, tmp_path):
    """The service is on this very machine, and its paths are there: that makes no difference."""

    def opened():
        return Retriever.open(library=folder, index=tmp_path / "index.db")

    app = create_app(Service(Libraries(tmp_path / "data", opened)), Options(page=False))
    with served(app) as url, Client(url) as client:
        skills = SkillSource(client)
        skill = skills.named("pdf-tables")
        assert skill.path == str(folder / "pdf-tables" / "SKILL.md")
        assert skills.files(skill) == []
        with pytest.raises(InputError, match="no files but its instructions"):
            skills.file(skill, "scan.bin")


def test_the_tools_say_what_fits_and_hand_over_instructions(source):
    search, load = SkillTools(source, k=2).functions
    found = search("get tables out of a PDF")
    assert found[0]["id"] == "pdf-tables"
    assert [one["fits"] for one in found] == [True, False]
    assert json.loads(json.dumps(found)) == found
    assert load("pdf-tables") == "Use OCR for scans."
    for wrong in (("nothing",), ("pdf-tables", "x.md")):
        with pytest.raises(InputError):
            load(*wrong)


def test_the_tools_name_further_files_and_read_text(folder, tmp_path):
    with Retriever.open(library=folder, index=tmp_path / "index.db") as retriever:
        search, load = SkillTools(retriever).functions
        id_ = search("extract tables from PDF files")[0]["id"]
        assert load(id_).endswith("Use OCR.\n\nFurther files: scan.bin, scripts/run.py")
        assert load(id_, "scripts/run.py") == "print('\ufffd[31m')\n"
        with pytest.raises(InputError, match="is no text"):
            load(id_, "scan.bin")


def test_a_client_that_is_awaited_is_refused():
    with pytest.raises(InputError, match="take a Retriever or a Client, no AsyncClient"):
        SkillSource(AsyncClient("http://127.0.0.1:1"))

import pytest

from skillret import Retriever
from skillret.errors import InputError
from skillret.serving.libraries import Libraries, ReadOnlyError
from skillret.serving.service import Service, UnknownSkillError
from skillret.serving.sessions import Sessions
from tests.conftest import SKILLS, HashEncoder, make_skill


@pytest.fixture
def service(tmp_path, library):
    encoder, index = HashEncoder(), tmp_path / "i.db"
    opened = lambda: Retriever.open(library=library, index=index, model=encoder)  # noqa: E731
    service = Service(Libraries(tmp_path / "served", opened))
    service.libraries.create("team")
    yield service
    service.close()


def test_search_says_what_a_retriever_does(service):
    found = service.search(["plan meals", "pods crash"], 2, explain=True)
    with service.retriever() as retriever:
        assert found.hits == retriever.search_batch(["plan meals", "pods crash"], 2, explain=True)
        assert found.generation == retriever.searcher().corpus.generation
    assert found.model == "hash-seed"


def test_select_says_why_the_others_are_not_chosen(service):
    selected = service.select("plan meals for a week", limit=1, near=4)
    with service.retriever() as retriever:
        assert selected.selection == retriever.select("plan meals for a week", limit=1)
    chosen = [near for near in selected.near if near.selected]
    assert [near.hit.name for near in chosen] == ["meal-planner"]
    rest = [near.reason for near in selected.near if not near.selected]
    assert rest == ["the selection is full (1)"] * len(rest)
    assert rest
    assert not any(near.reason for near in chosen)
    assert service.select("plan meals").near == []


def test_what_only_the_user_may_start_is_no_agents(service):
    service.put(make_skill("deploy", "Deploy the shop.", user_only=True), "team")
    service.put(make_skill("bake", "Bake some bread."), "team")
    (near,) = (
        near
        for near in service.select("deploy the shop", near=2, library="team").near
        if near.hit.name == "deploy"
    )
    assert not near.selected
    assert "only the user" in near.reason


def test_skills_are_paged_in_order(service):
    service.put_all(SKILLS, "team")
    names, after = [], None
    while True:
        page = service.skills("team", limit=3, after=after)
        names += [skill.name for skill in page.skills]
        assert page.total == 4
        after = page.next
        if after is None:
            break
        # What is added or removed meanwhile moves nothing.
        service.put(make_skill("new"), "team")
        service.remove("new", "team")
    assert names == [skill.name for skill in SKILLS]


def test_skills_are_filtered_as_searches_are(service):
    metadata = [{"n": 1, "tags": ["a", "b"]}, {"n": True}, {"tags": "a"}, {"n": "1"}]
    skills = [make_skill(f"skill-{n}", metadata=m) for n, m in enumerate(metadata)]
    service.put_all(skills, "team")
    for where in ({"n": 1}, {"n": True}, {"tags": "a"}, {"tags": ["b", "c"]}, {"n": 2}):
        listed = {skill.id for skill in service.skills("team", where=where).skills}
        (hits,) = service.search(["skill about"], 10, library="team", where=where).hits
        assert listed == {hit.id for hit in hits}, where
    page = service.skills("team", name="SKILL-2")
    assert [skill.name for skill in page.skills] == ["skill-2"]
    assert page.total == 1


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 30, ""])
def test_cursors_are_checked(service, after):
    with pytest.raises(InputError, match="no cursor"):
        service.skills(after=after)


def test_skills_are_stored_replaced_and_removed(service):
    assert service.put(make_skill("soup", "Cook a soup."), "team")
    assert not service.put(make_skill("soup", "Cook a soup.", "With salt."), "team")
    assert service.skill("soup", "team").body == "With salt."
    assert service.counts("team").skills == 1
    service.remove("soup", "team")
    for work in (service.remove, service.skill):
        with pytest.raises(UnknownSkillError, match="no skill 'soup'"):
            work("soup", "team")


def test_all_are_stored_or_none(service):
    with pytest.raises(InputError, match="two skills have the id"):
        service.put_all([make_skill("a"), make_skill("b"), make_skill("a")], "team")
    assert service.counts("team").skills == 0


@pytest.mark.parametrize(
    ("skill", "message"),
    [
        (make_skill("x", id="../../etc/passwd"), "no id"),
        (make_skill("x", id="a%2fb"), "no id"),
        (make_skill("x", id="a\nb"), "no id"),
        (make_skill(" ", id="a"), "no name"),
        (make_skill("x", " "), "no description"),
        (make_skill("x", metadata={"a": "b" * 20000}), "larger than"),
        (make_skill("x", metadata={"a": float("nan")}), "no JSON"),
    ],
)
def test_odd_skills_are_refused(service, skill, message):
    with pytest.raises(InputError, match=message):
        service.put(skill, "team")


def test_the_default_library_is_not_changed(service):
    for work in (
        lambda: service.put(make_skill("x"), "default"),
        lambda: service.remove("x", "default"),
    ):
        with pytest.raises(ReadOnlyError, match="read-only"):
            work()


def test_nothing_is_named_to_a_session_twice_and_sessions_are_of_one_library(tmp_path, library):
    opened = lambda: Retriever.open(library=library, index=tmp_path / "i.db")  # noqa: E731
    service = Service(Libraries(tmp_path / "served", opened))
    service.libraries.create("team")
    service.put_all(SKILLS, "team")
    prompt = "extract the tables from this PDF file into a spreadsheet"
    first = service.route(prompt, session="s")
    assert [named.name for named in first.decision.named] == ["pdf-tables"]
    assert "pdf-tables" in first.context
    again = service.route(prompt, session="s")
    assert again.decision.silent == "the session was told already"
    assert again.context == ""
    assert service.route(prompt, session="s", library="team").decision.named
    assert service.route(prompt).decision.named
    service.close()


def test_sessions_are_forgotten_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr("skillret.serving.sessions._MOST_SESSIONS", 2)
    monkeypatch.setattr("skillret.serving.sessions._MOST_SKILLS", 3)
    sessions = Sessions()
    memory = sessions.of("a")
    assert memory.tell("x", "1", ["p", "q"]) == {"p", "q"}
    assert memory.tell("x", "2", "rstu") == set("rstu")
    assert memory.tell("x", "2", "stu") == set()
    assert memory.tell("x", "2", "r") == {"r"}
    assert memory.tell("x", "1", ["p", "z"]) == {"z"}
    assert sessions.of("b").tell("x", "1", ["p"]) == {"p"}  # in the place of the session 2
    assert memory.tell("x", "1", ["p"]) == set()
    assert memory.tell("x", "2", ["t"]) == {"t"}


def test_where_nothing_is_selected_no_other_is_said_to_do_it(tmp_path):
    index = tmp_path / "i.db"
    opened = lambda: Retriever.open(library="examples/skills", index=index)  # noqa: E731
    service = Service(Libraries(tmp_path / "served", opened))
    found = service.select("train a dog", near=3)
    service.close()
    assert not len(found.selection)
    assert all("too unlikely" in near.reason for near in found.near)
    assert found.near

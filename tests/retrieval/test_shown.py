from dataclasses import replace

from tests.conftest import SKILLS

from skillret import Index, Retriever
from skillret.retrieval.shown import left_to_user
from skillret.types import Hit, Selection


def test_what_is_left_to_the_user_is_one_sentence():
    hits = tuple(Hit(1, name, name, "A skill.", None, 0.9) for name in ("a", "b", "c"))
    assert left_to_user(Selection("q", ()), "you") == ""
    one = Selection("q", (), for_user=hits[:1])
    assert left_to_user(one, "you") == "a fits, but only you can start it"
    all_ = Selection("q", (), for_user=hits)
    assert left_to_user(all_, "the user") == "a, b and c fit, but only the user can start them"


def test_what_fits_and_is_left_to_the_user_is_told_apart():
    index = Index.in_memory()
    index.add([replace(SKILLS[0], user_only=True), *SKILLS[1:]])
    with Retriever(index) as retriever:
        query = "extract all tables from a pdf file into spreadsheets"
        hits, selection = retriever.look_up(query)
        assert selection.abstained
        assert [hit.name for hit in selection.for_user] == ["pdf-tables"]
        assert selection.for_user[0].score == hits[0].score
        assert selection.missing == ()
        assert retriever.select("thanks, that was all").for_user == ()
        # Its name calls it, whatever its probability.
        assert [hit.name for hit in retriever.select("pdf-tables").for_user] == ["pdf-tables"]
        both = retriever.select("Find out why my pods crash. Also extract tables from this pdf.")
        assert [hit.name for hit in both] == ["kubernetes-debugging"]
        assert [hit.name for hit in both.for_user] == ["pdf-tables"]


def test_a_task_that_is_left_to_the_user_is_told_beside_others():
    index = Index.in_memory()
    left = (SKILLS[2], SKILLS[3])
    index.add([*SKILLS[:2], *(replace(skill, user_only=True) for skill in left)])
    with Retriever(index) as retriever:
        query = "1. Plan my meals. 2. Find out why a pod restarts. 3. Write the release notes."
        selection = retriever.select(query)
        assert [hit.name for hit in selection] == ["kubernetes-debugging"]
        assert {hit.name for hit in selection.for_user} == {"meal-planner", "release-notes"}
        assert selection.missing == ()
        for_us = "Write the release notes. Then translate our Oracle procedures to BigQuery."
        selection = retriever.select(for_us)
        assert [hit.name for hit in selection.for_user] == ["release-notes"]
        assert selection.missing == ("Then translate our Oracle procedures to BigQuery.",)

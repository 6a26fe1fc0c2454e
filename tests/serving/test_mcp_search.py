from skillret import Retriever
from tests.conftest import write_skill
from tests.serving.test_mcp import call


def test_what_fits_and_only_the_user_may_start_is_told(library, tmp_path):
    text = "Cut a new release of the shop. Tag, changelog, deploy."
    write_skill(library, "shop-release", f"{text}\ndisable-model-invocation: true")
    with Retriever.open(library=library, index=tmp_path / "s.db") as opened:
        found = call(opened, "search_skills", query="cut a new release of the shop")
    best = found.structured_content["skills"][0]
    assert (best["name"], best["user_only"], best["fits"]) == ("shop-release", True, False)
    note = found.structured_content["note"]
    assert note == "shop-release fits, but only the user can start it"

from tests.conftest import SKILLS, HashEncoder, LateHashEncoder, fill, make_skill
from tests.index.tools import keys_of

from skillret import Index, Retriever


def test_vectors_of_other_indexes_are_not_made_again(tmp_path):
    fill(tmp_path / "one.db", SKILLS[:2]).close()
    fill(tmp_path / "other.db", SKILLS[2:], HashEncoder("another")).close()
    (tmp_path / "damaged.db").write_text("x")
    files = [tmp_path / f"{name}.db" for name in ("damaged", "gone", "other", "one", "new")]
    encoder = HashEncoder()
    with Index.open(tmp_path / "new.db", create=True, model=encoder) as index:
        skills = [*SKILLS[:3], make_skill("new")]
        assert index.borrow(skills, files) == 2
        assert index.borrow(skills, files) == 0
        assert index.update(skills).encoded == 2
        assert len(encoder.encoded) == 2
        assert len(index) == 4
        query = SKILLS[0].description
        hits = [
            Retriever(i, mode="dense").search(query, 1) for i in (index, fill(tmp_path / "x.db"))
        ]
        assert hits[0][0].score == hits[1][0].score > 0.5


def test_tokens_are_borrowed_with_the_vectors(tmp_path):
    fill(tmp_path / "one.db", encoder=LateHashEncoder()).close()
    fill(tmp_path / "plain.db").close()
    encoder = LateHashEncoder()
    with Index.open(tmp_path / "new.db", create=True, model=encoder) as index:
        assert index.borrow(SKILLS, [tmp_path / "plain.db"]) == 0
        assert index.borrow(SKILLS, [tmp_path / "one.db"]) == len(SKILLS)
        assert index.update(SKILLS).encoded == 0
        keys = keys_of(index.corpus())
        assert index.corpus().tokens(keys).keys() == set(keys)

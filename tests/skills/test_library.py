import hashlib
import os
import shutil
from pathlib import Path

import pytest
import yaml
from tests.conftest import SKILLS, HashEncoder, write_skill

from skillret import Index, Library, Retriever
from skillret.errors import InputError
from skillret.skills import Root, default_roots, frontmatter
from skillret.skills import library as library_module
from skillret.skills import walk as module


def notes(library):
    return [f"{d.level}: {d.message}" for d in library.diagnostics]


def test_skills_are_found_in_order_and_know_their_path(library):
    found = Library.open(library)
    assert [s.name for s in found] == [
        "kubernetes-debugging",
        "meal-planner",
        "pdf-tables",
        "release-notes",
    ]
    assert found.skills[2].path == str(library / "pdf-tables" / "SKILL.md")
    assert found.skills[2].id.startswith("pdf-tables@")
    assert found.diagnostics == []


def test_a_missing_root_and_a_file_as_root_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        Library.open(tmp_path / "nowhere")
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(InputError, match="not a folder"):
        Library.open(file)


def test_an_empty_name_is_no_folder():
    with pytest.raises(InputError, match="name of a folder is empty"):
        Library.open("")


def test_a_current_folder_that_is_gone_is_one_clear_error(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InputError, match=r"usual places.*--library DIR"):
        Library.open()


def test_usual_places_behind_a_closed_door_count_as_absent(tmp_path, home, monkeypatch):
    write_skill(tmp_path / ".claude" / "skills", "seen")
    real = os.stat

    def stat(path, **options):
        if str(path).startswith((str(home), str(tmp_path / ".git"))):
            raise PermissionError(13, "Permission denied")
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert [r.scope for r in default_roots(tmp_path, home)] == ["project"]


def test_an_unreadable_folder_is_reported_and_an_unreadable_root_refused(library, monkeypatch):
    (library / "closed").mkdir()
    real = os.scandir

    def scandir(folder):
        if str(folder) in refused:
            raise PermissionError(13, "Permission denied")
        return real(folder)

    # Not by chmod: to root every folder is readable.
    monkeypatch.setattr(os, "scandir", scandir)
    refused = {str(library / "closed")}
    found = Library.open(library)
    assert (len(found), notes(found)) == (4, ["error: cannot be read: Permission denied"])
    refused = {str(library)}
    with pytest.raises(InputError, match=r"cannot read the folder .*library: Permission denied"):
        Library.open(library)


def test_repositories_packages_and_resources_of_a_skill_are_not_searched(library):
    for skipped in (".git", "node_modules", "pdf-tables/references", "pdf-tables/scripts"):
        write_skill(library / skipped, "hidden")
    write_skill(library / "group", "nested-skill")
    assert [s.name for s in Library.open(library) if s.name in ("hidden", "nested-skill")] == [
        "nested-skill"
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_skipped_skill_is_one_error(library):
    os.mkfifo(write_skill(library, "pipe").with_name("skill.md"))
    (library / "pipe" / "SKILL.md").unlink()
    write_skill(library, "binary").write_bytes(b"\x00\xff" * 600_000)
    said = [d for d in Library.open(library).diagnostics if d.level == "error"]
    assert {d.message for d in said} >= {"is no regular file"}
    assert len(said) == 2


def test_depth_and_count_are_bounded(library, monkeypatch):
    deep = library
    for level in range(module.MAX_DEPTH + 1):
        deep = deep / f"d{level}"
    write_skill(deep, "too-deep")
    found = Library.open(library)
    assert len(found) == 4
    assert any("deeper than" in n for n in notes(found))
    monkeypatch.setattr(library_module, "MAX_SKILLS", 2)
    found = Library.open(library)
    assert len(found) == 2
    assert any("more than 2 skills" in n for n in notes(found))


def test_a_huge_skill_file_is_cut_with_a_remark(library):
    file = write_skill(library, "huge")
    with file.open("ab") as out:
        out.truncate(50 * 1024 * 1024)
    found = Library.open(library)
    assert len(found) == 5
    assert "warning: only its first 1024 KiB are read" in notes(found)


def test_a_link_loop_ends_and_is_named(library):
    (library / "pdf-tables" / "self").symlink_to(library, target_is_directory=True)
    (library / "loop").symlink_to(library / "loop")
    (library / "meal-planner" / "there").symlink_to(library / "pdf-tables")
    (library / "pdf-tables" / "back").symlink_to(library / "meal-planner")
    found = Library.open(library)
    assert len(found) == 4
    assert [n[:40] for n in notes(found)] == [
        "warning: a link that leads nowhere is no",
        "warning: a link to a folder that holds i",
    ]


def test_what_is_no_plain_file_is_not_read(library):
    (library / "a-folder" / "SKILL.md").mkdir(parents=True)
    (library / "a-pipe").mkdir()
    os.mkfifo(library / "a-pipe" / "SKILL.md")
    (library / "a-device").mkdir()
    (library / "a-device" / "SKILL.md").symlink_to("/dev/zero")
    assert len(Library.open(library)) == 4


def test_links_that_leave_the_root_are_not_followed_but_named(library, tmp_path):
    outside = write_skill(tmp_path / "outside", "secret").parent
    (library / "out").symlink_to(outside, target_is_directory=True)
    inside = library / "a-file-link"
    inside.mkdir()
    (inside / "SKILL.md").symlink_to(outside / "SKILL.md")
    found = Library.open(library)
    assert "secret" not in [s.name for s in found]
    assert sum("outside of its root" in n and str(outside) in n for n in notes(found)) == 2


def test_two_skills_of_one_name_are_kept_and_told_apart(library):
    write_skill(library / "other", "pdf-tables", "Another skill.", "Other body.")
    found = [s for s in Library.open(library) if s.name == "pdf-tables"]
    assert len({s.id for s in found}) == 2
    assert [s.shadowed_by for s in found] == [None, found[0].path]


def test_copies_are_collapsed_and_stubs_are_not(library):
    original = (library / "pdf-tables" / "SKILL.md").read_text()
    copy = write_skill(library / "z", "pdf-tables")
    copy.write_text(original)
    write_skill(library, "z-renamed").write_text(
        original.replace("name: pdf-tables", "name: z-renamed")
    )
    write_skill(library, "stub-a", "One thing.", "See the README.")
    write_skill(library, "stub-b", "Another thing.", "See the README.")
    found = {s.name: s for s in Library.open(library)}
    assert found["pdf-tables"].aliases == (str(copy),)
    # A name is part of what makes a skill: it is invoked by it.
    assert found["z-renamed"].aliases == ()
    assert found["z-renamed"].body == found["pdf-tables"].body
    assert {"stub-a", "stub-b"} <= set(found)


def test_one_text_in_folders_of_two_names_is_two_skills(library):
    """What stands beside them may differ, and a folder's name is one to call a skill by."""
    for folder in ("deploy-prod", "deploy-staging"):
        write_skill(library, folder).write_text(
            "---\nname: deploy\ndescription: Deploys the app.\n---\nRun the script.\n"
        )
    index = Index.in_memory(model=HashEncoder())
    index.add(Library.open(library))
    with Retriever(index) as retriever:
        for folder in ("deploy-prod", "deploy-staging"):
            for query in (folder, f"/{folder} now"):
                (hit,) = retriever.select(query)
                assert Path(hit.path).parent.name == folder


@pytest.mark.parametrize("pattern", ["tide", "Folder", "fold*", "sea:tide", "sea:folder", "sea:*"])
def test_a_skill_is_hidden_by_any_of_its_names(tmp_path, pattern):
    write_skill(tmp_path, "folder").write_text("---\nname: tide\ndescription: Reads.\n---\n")
    write_skill(tmp_path, "other")
    found = Library([Root(tmp_path, "plugin:sea")], hide=[pattern])
    assert [s.name for s in found] == ([] if pattern == "sea:*" else ["other"])
    assert len(Library([Root(tmp_path, "plugin:river")], hide=["sea:*", "sea:tide"])) == 2


def test_two_names_of_one_text_are_two_skills_that_a_search_finds(library):
    text = (library / "pdf-tables" / "SKILL.md").read_text()
    other = write_skill(library, "z-renamed")
    other.write_text(text.replace("name: pdf-tables", "name: z-renamed"))
    index = Index.in_memory(model=HashEncoder())
    index.add(Library.open(library))
    with Retriever(index) as retriever:
        hits = retriever.search("extract tables from pdf files", k=2)
        assert {h.name for h in hits} == {"pdf-tables", "z-renamed"}
        assert retriever.select("z-renamed").hits[0].name == "z-renamed"


def test_a_copy_is_a_skill_of_its_own_once_its_description_changes(library):
    write_skill(library / "a", "search", "Search the tracker.", "")
    write_skill(library / "b", "search", "Search recipes for cakes.", "")
    found = [s for s in Library.open(library) if s.name == "search"]
    assert [s.description for s in found] == ["Search the tracker.", "Search recipes for cakes."]


def test_the_project_comes_before_the_user_and_shadowing_is_reported(tmp_path, home):
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    below = project / "src" / "deep"
    below.mkdir(parents=True)
    write_skill(home / ".claude" / "skills", "pdf-tables", "Of the user.", "User body.")
    write_skill(project / ".claude" / "skills", "pdf-tables", "Of the project.", "Project body.")
    write_skill(below / ".agents" / "skills", "local")
    roots = default_roots(below, home)
    assert [r.scope for r in roots] == ["project", "project", "user"]
    found = Library(roots)
    assert [s.description for s in found] == ["A skill.", "Of the project.", "Of the user."]
    assert found.skills[2].shadowed_by == found.skills[1].path
    assert any("shadowed by" in n for n in notes(found))


def test_outside_a_repository_only_the_folder_itself_is_the_project(tmp_path, home):
    write_skill(tmp_path / ".claude" / "skills", "above")
    here = tmp_path / "here"
    here.mkdir()
    assert default_roots(here, home) == []


def test_the_fingerprint_changes_with_any_skill_and_only_then(library):
    before = Library.open(library).fingerprint
    assert Library.open(library).fingerprint == before
    (library / "README.md").write_text("not a skill")
    assert Library.open(library).fingerprint == before
    write_skill(library, "meal-planner", "Changed.")
    after = Library.open(library).fingerprint
    assert after != before
    (library / "pdf-tables" / "SKILL.md").unlink()
    assert Library.open(library).fingerprint not in (before, after)


def test_the_fingerprint_changes_where_files_are_read_otherwise(library, monkeypatch):
    before = Library.open(library).fingerprint
    monkeypatch.setattr("skillret.skills.library._READING_VERSION", 0)
    assert Library.open(library).fingerprint != before


def test_a_root_inside_another_is_read_once(library):
    found = Library([Root(library.resolve()), Root((library / "pdf-tables").resolve())])
    assert len(found) == 4


def test_a_path_that_is_no_utf8_is_reported(library):
    folder = library / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("the file system wants UTF-8")
    shutil.copy(library / "pdf-tables" / "SKILL.md", folder)
    found = Library.open(library)
    assert len(found) == 4
    assert "error: its path is not UTF-8; rename it" in notes(found)


def test_a_lower_case_name_is_read_where_there_is_no_other(library):
    """As the specification's own reader (skills-ref) does."""
    write_skill(library, "small", "Do small things.").rename(library / "small" / "skill.md")
    write_skill(library, "other", "Do others.").rename(library / "other" / "Skill.md")
    (library / "pdf-tables" / "skill.md").write_text("an old draft")
    found = Library.open(library)
    assert {s.name for s in found.skills} == {*(s.name for s in SKILLS), "small", "other"}
    assert [Path(note.path).name for note in found.diagnostics] == ["Skill.md", "skill.md"]
    assert all("its name should be SKILL.md" in note.message for note in found.diagnostics)


@pytest.mark.parametrize("name", ["Skill.md", "skill.MD", "SKILL.MD"])
def test_its_name_is_read_in_any_letters(library, name):
    write_skill(library, "small").rename(library / "small" / name)
    (note,) = Library.open(library).diagnostics
    assert note.path.endswith(name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(library):
    policy = library / "meal-planner" / "agents" / "openai.yaml"
    policy.parent.mkdir()
    policy.write_text("")
    found = Library.open(library)
    for file in (library / "pdf-tables" / "SKILL.md", policy):
        file.unlink()
        os.mkfifo(file)
    assert len(found) == 3
    assert len([n for n in notes(found) if "no regular file" in n]) == 2


def test_the_policy_of_codex_is_read_and_its_change_seen(library):
    before = Library.open(library)
    policy = library / "pdf-tables" / "agents" / "openai.yaml"
    policy.parent.mkdir()
    policy.write_text("policy:\n  allow_implicit_invocation: false\n")
    after = Library.open(library)
    assert [s.name for s in after if s.user_only] == ["pdf-tables"]
    policy.write_text("policy:\n  allow_implicit_invocation: true\n")
    last = Library.open(library)
    assert not any(s.user_only for s in last)
    assert len({found.fingerprint for found in (before, after, last)}) == 3


def test_the_policy_of_codex_is_read_by_either_ending(library):
    policy = library / "pdf-tables" / "agents" / "openai.yml"
    policy.parent.mkdir()
    policy.write_text("policy:\n  allow_implicit_invocation: flase\n")
    found = Library.open(library)
    assert [s.name for s in found if s.user_only] == ["pdf-tables"]
    (note,) = found.diagnostics
    assert (note.path, "neither true nor false" in note.message) == (str(policy), True)


@pytest.mark.parametrize("linked", ["file", "folder", "skill", "target"])
def test_the_policy_of_codex_is_read_through_links(library, home, linked):
    """As stow makes them: each file, or the whole folder."""
    dot, skill = home / "dot", library / "pdf-tables"
    policy = dot / "agents" / "openai.yaml"
    policy.parent.mkdir(parents=True)
    policy.write_text("policy:\n  allow_implicit_invocation: false\n")
    if linked == "file":
        (skill / "agents").mkdir()
        (skill / "agents" / "openai.yaml").symlink_to(policy)
    elif linked == "folder":
        (skill / "agents").symlink_to(policy.parent)
    else:  # the text of the skill beside it, linked alone or with its folder
        (skill / "SKILL.md").rename(dot / "SKILL.md")
        if linked == "target":
            (skill / "SKILL.md").symlink_to(dot / "SKILL.md")
        else:
            skill.rmdir()
            skill.symlink_to(dot)
    before = Library.open(library)
    assert [s.name for s in before if s.user_only] == ["pdf-tables"]
    policy.write_text("policy:\n  allow_implicit_invocation: true\n")
    after = Library.open(library)
    assert not any(s.user_only for s in after)
    assert before.fingerprint != after.fingerprint


def test_a_policy_that_lies_in_the_system_is_not_read_but_named(library):
    agents = library / "pdf-tables" / "agents"
    agents.mkdir()
    (agents / "openai.yaml").symlink_to("/etc/passwd")
    found = Library.open(library)
    assert not any(s.user_only for s in found)
    assert any("a link to /etc/passwd, outside of" in note for note in notes(found))


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("SKILL.md.txt", True),
        ("SKILL.txt", True),
        ("skill.markdown", True),
        ("SKILL (1).md", True),
        ("SKILL", True),
        ("skill.py", False),
        ("skills.md", False),
        ("README.md", False),
    ],
)
def test_a_file_that_is_likely_meant_is_named(library, name, named):
    (library / "odd").mkdir()
    (library / "odd" / name).write_text("---\nname: odd\ndescription: Reads.\n---\n")
    (library / "pdf-tables" / "SKILL.md.txt").write_text("an old draft")
    told = [d for d in Library.open(library).left_out if "rename it to SKILL.md" in d.message]
    assert [Path(d.path).name for d in told] == [name] * named


def test_half_a_character_keeps_no_other_skill_from_being_found(library, monkeypatch):
    monkeypatch.setattr(frontmatter, "_Loader", yaml.BaseLoader)
    odd = write_skill(library, "odd", '"a\\ud83d"')
    strange = 'metadata: {"\\ud83d": "\\UFFFFFFFF"}\n---\n\n'
    odd.write_text(odd.read_text().replace("---\n\n", strange))
    index = Index.in_memory(model=HashEncoder())
    index.add(Library.open(library))
    assert len(index) == 5


def test_paths_whose_hashes_begin_alike_are_two_skills(library):
    seen = {}
    for number in range(1_000_000):
        path = f"{library}{os.sep}x{number}{os.sep}SKILL.md"
        start = hashlib.sha256(path.encode()).digest()[:4]
        if start in seen:
            break
        seen[start] = path
    for file in (seen[start], path):
        made = write_skill(library, Path(file).parent.name, f"Of {file}.")
        made.write_text(made.read_text().replace(f"name: {made.parent.name}", "name: same"))
    same = [s for s in Library.open(library) if s.name == "same"]
    assert len({s.id for s in same}) == 2


@pytest.mark.parametrize("place", [".system", ".linked", ".kept/skills"])
def test_a_hidden_folder_that_is_searched_is_not_passed_over(tmp_path, place):
    skills = tmp_path / "skills"
    write_skill(skills, "own")
    write_skill(skills / ".trash", "old")
    target = tmp_path / "elsewhere" if place == ".linked" else skills / place
    write_skill(target, "creator")
    if place == ".linked":
        (skills / place).symlink_to(target)
    library = Library([Root(skills, "user"), Root(target, "bundled")])
    assert [skill.name for skill in library] == ["own", "creator"]
    assert [Path(d.path).name for d in library.left_out] == [".trash"]
    write_skill(skills / ".kept", "other")
    library = Library([Root(skills, "user"), Root(target, "bundled")])
    assert sorted(Path(d.path).name for d in library.left_out) == [".kept", ".trash"]
    assert all("with 1 skill in it" in d.message for d in library.left_out)

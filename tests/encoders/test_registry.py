import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import ROOT, HashEncoder

import skillret.encoders
from skillret import Profile, load_encoder
from skillret.errors import EncoderError, ExtensionError

DEFAULT = Path(skillret.encoders.__file__).parent / "default"

ACME = """
import hashlib
import numpy as np
from skillret import Profile

class Acme:
    def __init__(self, model, device):
        weights = hashlib.sha256(model.encode()).hexdigest()
        self.profile, self.device = Profile(model, dim=2, weights=weights), device

    def encode_queries(self, texts):
        return np.tile(np.float32([1, 0]), (len(texts), 1))

    def encode_documents(self, texts, progress=None):
        return self.encode_queries(texts)

def make(model, *, device=None, trust_remote_code=False):
    return Acme(model, device)

def fail(model, **options):
    raise RuntimeError("no key\\nfor the service")

def other(model, **options):
    return object()
"""


def install(site, package, module, points):
    """A package as an installer leaves it, in a folder that is on the path."""
    site.mkdir(exist_ok=True)
    (site / f"{package.replace('-', '_')}.py").write_text(module)
    info = site / f"{package.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[skillret.encoders]\n" + "\n".join(points))


@pytest.fixture
def acme(tmp_path, monkeypatch):
    site = tmp_path / "site"
    points = ("make", "fail", "other", "nothing")
    install(site, "acme-vectors", ACME, [f"acme-{p} = acme_vectors:{p}" for p in points])
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("acme_vectors", None)


@pytest.mark.parametrize("name", ["acme-make", "acme-make:small", "acme-make:a/b c:d"])
def test_a_package_offers_an_encoder_by_name_or_prefix(acme, name):
    encoder = load_encoder(name, device="cpu")
    assert (encoder.profile.name, encoder.device) == (name, "cpu")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acme-fail", r"acme-vectors 1\.2 .*fails: RuntimeError: no key for the service; update"),
        ("acme-other", r"acme-vectors 1\.2 .*returned a object, which is no Encoder"),
        ("acme-nothing", r"acme-vectors 1\.2 .*cannot be loaded: AttributeError: .*nothing"),
    ],
)
def test_a_package_that_is_broken_is_named(acme, name, message):
    with pytest.raises(ExtensionError, match=message) as e:
        load_encoder(name)
    assert "\n" not in str(e.value)


def test_a_package_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    install(tmp_path / "site", "torn", "import no_such_module", ["torn = torn:make"])
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(ExtensionError, match=r"package torn 1\.2 .*no_such_module"):
        load_encoder("torn:x")


def test_two_packages_of_one_name_are_not_chosen_between(acme):
    install(acme, "acme-too", "", ["acme-make = acme_too:make"])
    with pytest.raises(ExtensionError, match="acme-too and acme-vectors both offer 'acme-make'"):
        load_encoder("acme-make")


def test_a_name_that_nobody_offers_says_what_there_is(acme):
    with pytest.raises(EncoderError, match="that packages offer: acme-fail, acme-make, acme-no"):
        load_encoder("acne:small")


def test_no_package_takes_the_place_of_a_model_that_is_there(acme, tmp_path, monkeypatch):
    install(acme, "thief", "", ["default = thief:make", "mine = thief:make"])
    shutil.copytree(DEFAULT, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    identity = load_encoder().profile.identity
    assert load_encoder("default").profile.identity == identity
    assert load_encoder("mine").profile.identity == identity


def test_packages_are_looked_through_only_for_an_unknown_name():
    code = (
        "import sys; from skillret import load_encoder; load_encoder();"
        "assert 'importlib.metadata' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_a_path_is_a_folder_and_never_a_name(tmp_path, monkeypatch):
    folder = tmp_path / "default"
    shutil.copytree(DEFAULT, folder)
    identity = load_encoder().profile.identity
    monkeypatch.chdir(tmp_path)
    for path in (folder, str(folder), Path("default"), "./default"):
        encoder = load_encoder(path)
        assert encoder.profile.identity == identity
        assert encoder.folder.resolve() == folder
    shutil.rmtree(folder)
    assert load_encoder("default").folder == DEFAULT
    for path in (Path("default"), Path("owner/name"), "./default"):
        with pytest.raises(EncoderError, match="no model folder"):
            load_encoder(path)


def test_an_encoder_is_returned_as_it_is():
    for encoder in (HashEncoder(), load_encoder()):
        assert load_encoder(encoder) is encoder


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (None, "None is neither a name, a path nor an encoder .*no profile, encode_queries, enc"),
        (5, "5 is neither a name"),
        (HashEncoder, "neither a name, a path nor an encoder"),
        (Profile("x"), "neither a name, a path nor an encoder"),
    ],
)
def test_what_is_no_encoder_is_refused(thing, message):
    with pytest.raises(EncoderError, match=message):
        load_encoder(thing)


@pytest.mark.parametrize("profile", [None, Profile("x"), Profile("x", dim=3)])
def test_an_encoder_must_know_its_profile(profile):
    encoder = HashEncoder()
    encoder.profile = profile
    with pytest.raises(EncoderError, match="HashEncoder is no encoder: its `profile` must"):
        load_encoder(encoder)


def test_a_copied_folder_is_the_same_encoder(tmp_path):
    shutil.copytree(DEFAULT, tmp_path / "model")
    copy, default = load_encoder(str(tmp_path / "model")), load_encoder()
    assert copy.profile.identity == default.profile.identity
    np.testing.assert_array_equal(copy.encode_queries(["x"]), default.encode_queries(["x"]))


def test_a_missing_folder_is_named():
    with pytest.raises(EncoderError, match=r"no model folder \./nowhere"):
        load_encoder("./nowhere")


@pytest.mark.parametrize(
    "name", ["", "default ", "a b", "a\nb", "\x1b[31m", "a/b/c", "a/b@", "x:y"]
)
def test_what_is_no_name_of_a_model_is_looked_up_nowhere(name):
    with pytest.raises(EncoderError, match="neither a folder nor a hub id"):
        load_encoder(name)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(EncoderError, match="holds no model"):
        load_encoder(str(tmp_path))

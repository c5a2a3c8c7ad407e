"""What a wrong configuration is told: everything, at once, in order to act on it, and no secret."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dialer.settings import ConfigFaults, Database, Fault, Settings, load


def faults_of(text: str | bytes, tmp_path: Path, environ: dict[str, str] | None = None) -> tuple[Fault, ...]:
    path = tmp_path / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigFaults) as caught:
        load(path, environ or {})
    assert str(caught.value).splitlines() == [str(fault) for fault in caught.value.faults]
    return caught.value.faults


def only(faults: tuple[Fault, ...]) -> Fault:
    assert len(faults) == 1, faults
    return faults[0]


def test_all_faults_of_all_places_come_at_once(tmp_path: Path) -> None:
    text = '[http]\nport = 0\n[htpp]\nx = 1\n[worker]\nconcurrency = "many"\n[adapters.a]\nregion = "eu"\n'
    found = faults_of(text, tmp_path, {"DIALER_HTTP_PORT": "1", "DIALER_WORKER__CONCURRENCY": "none"})
    assert {fault.key for fault in found} == {
        "",
        "http.port",
        "htpp",
        "worker.concurrency",
        "adapters.a.kind",
    }
    assert all(fault.source and fault.problem and fault.remedy for fault in found)


def test_a_fault_names_the_place_it_stands_in(tmp_path: Path) -> None:
    assert only(faults_of("[http]\nport = 0\n", tmp_path)).source == str(tmp_path / "config.toml")
    assert only(faults_of("", tmp_path, {"DIALER_HTTP__PORT": "0"})).source == "environment variable DIALER_HTTP__PORT"
    assert only(faults_of("", tmp_path, {"REDIS_URL": "http://h"})).source == "environment variable REDIS_URL"


@pytest.mark.parametrize(
    ("text", "key", "meant"),
    [
        ("[http]\nprot = 1", "http.prot", "did you mean http.port?"),
        ("[htpp]\nport = 1", "htpp", "did you mean http?"),
        ("[htpp]", "htpp", "did you mean http?"),
        ('[http]\nlevel = "info"', "http.level", "did you mean logging.level?"),
        ("[http]\nzzz = 1", "http.zzz", "remove it, or see config.example.toml"),
    ],
)
def test_unknown_keys_are_faults_with_the_probable_one(tmp_path: Path, text: str, key: str, meant: str) -> None:
    fault = only(faults_of(text, tmp_path))
    assert (fault.key, fault.problem) == (key, "is not a setting")
    assert fault.remedy.startswith(meant)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DIALER_HTTP_PORT", "did you mean DIALER_HTTP__PORT?"),
        ("DIALER_HTTP__PROT", "did you mean http.port?"),
        ("DIALER_X", "write DIALER_SECTION__KEY"),
        ("DIALER_ADAPTERS__A", "write DIALER_SECTION__KEY"),
        ("DIALER_HTTP__", "did you mean DIALER_HTTP__"),
    ],
)
def test_unknown_variables_are_faults(tmp_path: Path, name: str, meant: str) -> None:
    fault = only(faults_of("", tmp_path, {name: "1"}))
    assert fault.source == f"environment variable {name}"
    assert fault.remedy.startswith(meant)


@pytest.mark.parametrize(
    ("text", "key", "problem", "remedy"),
    [
        ("[http]\nport = 70000", "http.port", "70000 is out of range", "write a number from 1 up to 65535"),
        ("[http]\nport = true", "http.port", "is not a number", "write digits"),
        ("[http]\nport = 1.5", "http.port", "1.5 is not a whole number", "write a whole number, for example 8600"),
        ("[http]\nhost = 5", "http.host", "5 is not text", "write text, for example '127.0.0.1'"),
        ("[http]\nhost = ''", "http.host", "is not a name we can use", "write lower-case"),
        ("http = 5", "http", "is not a table", "write it as a [section]"),
        ("[http.port]\nx = 1", "http.port", "is not a whole number", "write a whole number"),
        ("[scheduler]\ntick_seconds = nan", "scheduler.tick_seconds", "nan is not a finite number", "write a finite number"),
        ("[embedded]\ndata_dir = 5", "embedded.data_dir", "5 is not a path", "write a path"),
        ("[database]\nurl_file = 5", "database.url_file", "is not a path", "write the path"),
        ("[logging]\nlevel = 'loud'", "logging.level", "'loud' is not one of", "write 'debug', 'info', 'warning' or 'error'"),
        ("[adapters.a]\nx = 1", "adapters.a.kind", "is missing", "add it"),
        ("[adapters.a]", "adapters.a.kind", "is missing", "add it"),
        ("[adapters]\na = 1", "adapters.a", "is not a table", "write it as"),
        ("adapters = 1", "adapters", "is not a table", "write it as"),
        ("[adapters.a-_b]\nkind = 'a'", "adapters.a-_b", "'a-_b' is not a name", "write lower-case"),
        ("[adapters.a-b]\nkind = 'a'\n[adapters.a_b]\nkind = 'a'", "adapters", "has a-b and a_b, which", "rename one"),
        ("[adapters.a__b]\nkind = 'a'", "adapters.a__b", "'a__b' is not a name", "write lower-case"),
        ("[adapters.a]\nkind = 'a'\ncalls_per_second = 0", "adapters.a.calls_per_second", "0 is out", "write a number above 0"),
        ("[http]\npublic_url = 'ftp://h'", "http.public_url", "is not a web address", "write https://host"),
        ("[http]\npublic_url = 'http://h:x'", "http.public_url", "is not a URL", "check its host and port"),
        ("[database]\nurl = 'mysql://h/d'", "database.url", "is not a Postgres URL", "write postgresql://"),
        ("[database]\nurl = 'postgresql://h'", "database.url", "is not a Postgres URL", "write postgresql://"),
        ("[extraction]\nbase_url = 'ftp://h'", "extraction.base_url", "is not a web address", "write https://host/v1"),
        ("[extraction]\nbase_url = 'http://u:p@h/v1'", "extraction.base_url", "holds a user or a password", "leave them out"),
        ("[extraction]\nbase_url = 'http://h/v1'", "extraction", "has a base_url and no model", "set extraction.model"),
        ("[extraction]\nmin_confidence = 2", "extraction.min_confidence", "2 is out of range", "write a number from 0 up to 1"),
        ("[redis]\nurl = 'h:6379'", "redis.url", "is not a Redis URL", "write redis://"),
        ("[redis]\nurl = 'redis://h'\nurl_file = 'f'", "redis.url_file", "is given together with redis.url", "keep one"),
    ],
)
def test_what_each_mistake_is_told(tmp_path: Path, text: str, key: str, problem: str, remedy: str) -> None:
    fault = next(fault for fault in faults_of(text, tmp_path) if fault.key == key)
    assert fault.problem.startswith(problem)
    assert fault.remedy.startswith(remedy)


class TestFilesThatCannotBeRead:
    def test_a_syntax_error_has_its_line(self, tmp_path: Path) -> None:
        fault = only(faults_of("[http]\nport 8600\n", tmp_path))
        assert fault.source == f"{tmp_path / 'config.toml'}, line 2, column 6"
        assert "not valid TOML" in fault.problem

    def test_also_at_the_end_of_the_file(self, tmp_path: Path) -> None:
        fault = only(faults_of('[http]\nhost = """x', tmp_path))
        assert fault.source.endswith("config.toml, line 2")

    def test_wrong_encoding_has_its_line(self, tmp_path: Path) -> None:
        fault = only(faults_of(b"[http]\nhost = '\xff'\n", tmp_path))
        assert fault.source.endswith("config.toml, line 2")
        assert fault.problem == "is not UTF-8 text"

    @pytest.mark.parametrize("path", ["missing.toml", "."])
    def test_a_named_file_must_be_there(self, tmp_path: Path, path: str) -> None:
        with pytest.raises(ConfigFaults, match="cannot be read"):
            load(tmp_path / path, {})

    def test_the_environment_is_judged_nevertheless_but_nothing_is_called_missing(self, tmp_path: Path) -> None:
        found = faults_of("[", tmp_path, {"DIALER_HTTP__PORT": "0", "DIALER_ADAPTERS__A__TOKEN": "x"})
        assert [fault.key for fault in found] == ["", "http.port"]


SECRET = "Hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"[database]\nurl = 'mysql://u:{SECRET}@h/d'",
        f"[database]\nurl = 'postgresql://u:{SECRET}@h:{SECRET}/d'",
        f"[database]\nurl = 'postgresql://u:{SECRET}@[h/d'",
        f"[database]\nurl = ['{SECRET}']",
        f"[redis]\nurl = '{SECRET}'",
        f"[databse]\nurl = '{SECRET}'",
        f"[database]\nulr = '{SECRET}'",
        f"[database]\npool_size = 'postgresql://u:{SECRET}@h/d'",
        f"[adapters.a]\nauth_token = '{SECRET}'",
        f"[adapters.a]\nkind = 'a'\nauth_token = '{SECRET}'\nauth_token_file = 'x'",
    ],
)
def test_no_secret_is_in_a_fault(tmp_path: Path, text: str) -> None:
    assert all(SECRET not in str(fault) for fault in faults_of(text, tmp_path))


def test_no_secret_is_in_a_repr_a_dump_or_an_error() -> None:
    environ = {
        "DATABASE_URL": f"postgresql://u:{SECRET}@h/d",
        "REDIS_URL": f"redis://:{SECRET}@h",
        "DIALER_ADAPTERS__SIMULATED__SIGNING_SECRET": SECRET,
        "DIALER_EXTRACTION__API_KEY": SECRET,
    }
    settings = load(None, environ)
    assert settings.adapters["simulated"].options["signing_secret"] == SECRET
    for text in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert SECRET not in text
    with pytest.raises(ValidationError) as caught:
        Database.model_validate({"url": SECRET})
    assert SECRET not in str(caught.value)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().http.port = 1


names = st.sampled_from(["database", "http", "adapters", "a", "url", "url_file", "port", "kind", "auth_token", "x_file", "é"])
values = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=2))
documents = st.dictionaries(
    names, st.recursive(values, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=6), max_size=4
)


@given(document=documents, environ=st.dictionaries(names.map(lambda name: f"DIALER_HTTP__{name}".upper()), st.text(max_size=3)))
def test_whatever_a_file_holds_the_answer_is_settings_or_faults(document: dict[str, object], environ: dict[str, str]) -> None:
    """No document raises anything else, and every fault is a whole sentence."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tomllib, "loads", lambda _: document)
        try:
            load(Path(__file__), environ)
        except ConfigFaults as caught:
            assert caught.faults
            assert all(fault.source and fault.problem and fault.remedy for fault in caught.faults)

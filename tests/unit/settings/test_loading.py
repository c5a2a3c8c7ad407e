"""Where settings come from and which place wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.settings import ConfigFaults, Settings, find_file, load


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, so that no config file of this machine takes part."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dialer.settings.loading.CONFIG_FILES", (Path("config.toml"), tmp_path / "etc.toml"))
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def secret(settings: Settings) -> str:
    assert settings.database.url is not None
    return settings.database.url.get_secret_value()


def test_without_anything_the_defaults_hold_and_the_simulated_trunk_is_there() -> None:
    settings = load(None, {"HOME": "/home/ann"})
    assert (settings.http.host, settings.http.port, settings.http.base_url) == ("127.0.0.1", 8600, "http://127.0.0.1:8600")
    assert settings.database.url is None and settings.redis.url is None
    assert settings.embedded.data_dir == Path("/home/ann/.local/state/dialer")
    assert list(settings.adapters) == ["simulated"]
    assert settings.adapters["simulated"].options["base_url"] == "http://127.0.0.1:8650"


def test_the_state_directory_follows_xdg_unless_it_is_relative() -> None:
    assert load(None, {"HOME": "/h", "XDG_STATE_HOME": "/state"}).embedded.data_dir == Path("/state/dialer")
    assert load(None, {"HOME": "/h", "XDG_STATE_HOME": "state"}).embedded.data_dir == Path("/h/.local/state/dialer")


def test_a_user_without_account_and_home_gets_the_system_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_account(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("dialer.settings.places.pwd.getpwuid", no_account)
    assert load(None, {}).embedded.data_dir == Path("/var/lib/dialer")


def test_the_config_file_is_looked_for_in_order(nowhere: Path) -> None:
    assert find_file(None, {}) is None
    etc = write(nowhere / "etc.toml", "")
    assert find_file(None, {}) == etc
    write(nowhere / "config.toml", "")
    assert find_file(None, {}) == Path("config.toml")
    assert find_file(None, {"DIALER_CONFIG": "/named"}) == Path("/named")
    assert find_file(Path("/chosen"), {"DIALER_CONFIG": "/named"}) == Path("/chosen")


def test_precedence_is_url_then_dialer_then_file_then_embedded(nowhere: Path) -> None:
    path = write(nowhere / "c.toml", '[database]\nurl = "postgresql://u@file/d"\n')
    environ = {"DATABASE_URL": "postgresql://u@platform/d", "DIALER_DATABASE__URL": "postgresql://u@own/d"}
    assert secret(load(path, environ)) == "postgresql://u@platform/d"
    del environ["DATABASE_URL"]
    assert secret(load(path, environ)) == "postgresql://u@own/d"
    assert secret(load(path, {})) == "postgresql://u@file/d"
    assert load(None, {}).database.url is None


def test_an_empty_variable_is_an_unset_one(nowhere: Path) -> None:
    path = write(nowhere / "c.toml", '[http]\nport = 9000\n[redis]\nurl = "redis://h"\n')
    settings = load(path, {"DIALER_HTTP__PORT": "", "REDIS_URL": ""})
    assert settings.http.port == 9000
    assert settings.redis.url is not None


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_spelling_of_a_postgres_url_becomes_one(scheme: str) -> None:
    assert secret(load(None, {"DATABASE_URL": f"{scheme}://u:p%40@h:5433/d?x=1"})) == "postgresql://u:p%40@h:5433/d?x=1"


@pytest.mark.parametrize("url", ["redis://:p@h:6379/0", "rediss://h:6380", "unix:///run/redis.sock"])
def test_redis_urls(url: str) -> None:
    found = load(None, {"REDIS_URL": url}).redis.url
    assert found is not None and found.get_secret_value() == url


def test_a_file_with_a_byte_order_mark_is_read(nowhere: Path) -> None:
    path = nowhere / "c.toml"
    path.write_bytes(b"\xef\xbb\xbf[http]\nport = 9000\n")
    assert load(path, {}).http.port == 9000


def test_relative_paths_start_at_the_files_folder_and_a_tilde_at_home(nowhere: Path) -> None:
    folder = nowhere / "conf"
    folder.mkdir()
    path = write(folder / "c.toml", '[embedded]\ndata_dir = "state"\n')
    assert load(path, {}).embedded.data_dir == folder / "state"
    assert load(write(folder / "p.toml", '[policies]\nfolder = "own"\n'), {}).policies.folder == folder / "own"
    assert load(path, {"DIALER_EMBEDDED__DATA_DIR": "here"}).embedded.data_dir == nowhere / "here"
    assert load(path, {"DIALER_EMBEDDED__DATA_DIR": "~/d", "HOME": "/h"}).embedded.data_dir == Path("/h/d")


def test_choices_are_read_in_any_case() -> None:
    settings = load(None, {"DIALER_LOGGING__LEVEL": "WARNING", "DIALER_LOGGING__FORMAT": "Json"})
    assert (settings.logging.level, settings.logging.format) == ("warning", "json")


def test_addresses_of_kubernetes_services_are_not_settings() -> None:
    environ = {
        "DIALER_API_SERVICE_HOST": "10.0.0.1",
        "DIALER_API_SERVICE_PORT": "80",
        "DIALER_API_SERVICE_PORT_HTTP": "80",
        "DIALER_API_PORT": "tcp://10.0.0.1:80",
        "DIALER_API_PORT_80_TCP": "tcp://10.0.0.1:80",
        "DIALER_API_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert load(None, {**environ, "HOME": "/h"}) == load(None, {"HOME": "/h"})


def test_base_url_is_the_public_one_or_this_machine() -> None:
    assert load(None, {"DIALER_HTTP__PUBLIC_URL": "https://calls.example.com/d/"}).http.base_url == "https://calls.example.com/d"
    assert load(None, {"DIALER_HTTP__HOST": "0.0.0.0"}).http.base_url == "http://127.0.0.1:8600"
    assert load(None, {"DIALER_HTTP__HOST": "::"}).http.base_url == "http://[::1]:8600"


class TestTrunks:
    TWILIO = '[adapters.twilio_eu]\nkind = "twilio"\ncalls_per_second = 2.5\nauth_token = "file"\nregions = ["ie1"]\n'

    def test_keys_of_ours_are_fields_and_all_others_options(self, nowhere: Path) -> None:
        trunk = load(write(nowhere / "c.toml", self.TWILIO), {}).adapters["twilio_eu"]
        assert (trunk.kind, trunk.calls_per_second, trunk.max_concurrent_calls) == ("twilio", 2.5, None)
        assert trunk.options == {"auth_token": "file", "regions": ["ie1"]}

    def test_a_named_trunk_takes_the_place_of_the_default_one(self, nowhere: Path) -> None:
        path = write(nowhere / "c.toml", self.TWILIO)
        assert list(load(path, {}).adapters) == ["twilio_eu"]
        environ = {"DIALER_ADAPTERS__OTHER__KIND": "twilio"}
        assert list(load(None, environ).adapters) == ["other"]

    def test_the_environment_reaches_options(self, nowhere: Path) -> None:
        environ = {"DIALER_ADAPTERS__TWILIO_EU__AUTH_TOKEN": "env", "DIALER_ADAPTERS__TWILIO_EU__MAX_CONCURRENT_CALLS": "7"}
        trunk = load(write(nowhere / "c.toml", self.TWILIO), environ).adapters["twilio_eu"]
        assert (trunk.options["auth_token"], trunk.max_concurrent_calls) == ("env", 7)

    def test_a_hyphen_in_a_trunks_name_is_an_underscore_in_the_environment(self, nowhere: Path) -> None:
        write(nowhere / "token", "s3cret")
        path = write(nowhere / "c.toml", self.TWILIO.replace("twilio_eu", "twilio-eu"))
        environ = {"DIALER_ADAPTERS__TWILIO_EU__AUTH_TOKEN_FILE": "token", "DIALER_ADAPTERS__OTHER_ONE__KIND": "twilio"}
        trunks = load(path, environ).adapters
        assert trunks["twilio-eu"].options["auth_token"] == "s3cret"
        assert set(trunks) == {"twilio-eu", "other_one"}

    def test_the_environment_alone_may_change_the_default_trunk(self) -> None:
        trunk = load(None, {"DIALER_ADAPTERS__SIMULATED__BASE_URL": "http://carrier"}).adapters["simulated"]
        assert (trunk.kind, trunk.options["base_url"]) == ("simulated", "http://carrier")


class TestSecretFiles:
    def test_a_sibling_key_names_the_file(self, nowhere: Path) -> None:
        write(nowhere / "url", "postgresql://u:p@h/d\n")
        path = write(nowhere / "c.toml", '[database]\nurl_file = "url"\n')
        assert secret(load(path, {})) == "postgresql://u:p@h/d"

    def test_so_does_the_environment(self, nowhere: Path) -> None:
        at = write(nowhere / "url", "postgresql://u:p@h/d")
        assert secret(load(None, {"DIALER_DATABASE__URL_FILE": str(at)})) == "postgresql://u:p@h/d"

    def test_and_an_adapters_options(self, nowhere: Path) -> None:
        write(nowhere / "token", "  s3cret \r\n")
        path = write(nowhere / "c.toml", '[adapters.a]\nkind = "a"\nauth_token_file = "token"\nca_file = "ca.pem"\n')
        assert load(path, {}).adapters["a"].options == {"auth_token": "  s3cret ", "ca_file": "ca.pem"}

    def test_and_the_key_of_the_extraction_endpoint(self, nowhere: Path) -> None:
        write(nowhere / "key", "sk-1\n")
        key = load(write(nowhere / "c.toml", '[extraction]\napi_key_file = "key"\n'), {}).extraction.api_key
        assert key is not None and key.get_secret_value() == "sk-1"

    def test_the_higher_place_wins_in_either_form(self, nowhere: Path) -> None:
        at = write(nowhere / "url", "postgresql://u@secretfile/d")
        inline = write(nowhere / "a.toml", '[database]\nurl = "postgresql://u@file/d"\n')
        assert secret(load(inline, {"DIALER_DATABASE__URL_FILE": str(at)})) == "postgresql://u@secretfile/d"
        named = write(nowhere / "b.toml", '[database]\nurl_file = "gone"\n')
        assert secret(load(named, {"DIALER_DATABASE__URL": "postgresql://u@env/d"})) == "postgresql://u@env/d"

    @pytest.mark.parametrize(
        ("content", "problem"),
        [(None, "cannot be read"), (b"\n", "empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * 70_000, "64 KiB")],
    )
    def test_a_file_that_holds_no_secret_is_a_fault(self, nowhere: Path, content: bytes | None, problem: str) -> None:
        if content is not None:
            (nowhere / "url").write_bytes(content)
        with pytest.raises(ConfigFaults, match=problem):
            load(None, {"DIALER_REDIS__URL_FILE": "url"})

"""URLs and the addresses of releases."""

from helper import raises
from ota import github
from ota.errors import InvalidGithubRepoUrlError
from ota.paths import Rules
from ota.settings import Settings, server
from ota.url import Repository, join, quote, split, unquote

PURE = True


def test_an_http_url_falls_into_scheme_host_port_and_target():
    for url, parts in (
        ("https://github.com/acme/weather", ("https", "github.com", 443, "/acme/weather")),
        ("HTTP://Example.org:8080", ("http", "example.org", 8080, "/")),
        ("http://h?x=1", ("http", "h", 80, "/?x=1")),
        ("https://h/a#part", ("https", "h", 443, "/a")),
    ):
        assert split(url) == parts, (url, split(url))


def test_a_url_that_is_none_is_refused_with_its_own_code():
    for url in (
        "",
        "github.com/a/b",
        "ftp://h/",
        "https://",
        "https://:80/",
        "http://h:0/",
        "http://h:99999/",
        "http://h:x/",
        "http://h/a b",
    ):
        assert raises(InvalidGithubRepoUrlError, split, url).code == "url", url
    for url in ("http://a b/", "http://h/a\r\nX: y", "http://h/a\tb", " http://h/"):
        assert raises(InvalidGithubRepoUrlError, split, url).code == "url", url
    assert raises(InvalidGithubRepoUrlError, split, "http://h/" + "a" * 600).code == "url"


def test_a_token_in_the_url_is_refused_and_not_repeated():
    exc = raises(InvalidGithubRepoUrlError, split, "https://ghp_secret@github.com/a/b")
    assert exc.code == "url_secret" and not exc.later
    assert "ghp_secret" not in str(exc)


def test_a_redirect_may_be_absolute_or_a_path():
    base = ("https", "h", 8443, "/a")
    assert join(base, "/b?c") == ("https", "h", 8443, "/b?c")
    assert join(base, "https://other/x") == ("https", "other", 443, "/x")
    assert join(base, "//other/x") == ("https", "other", 443, "/x")
    raises(InvalidGithubRepoUrlError, join, base, "b")


def test_percent_encoding_keeps_what_it_encodes():
    for text in ("a/b.py", "dir with space/ä.py", "100%.txt", "x#y?z&w"):
        assert unquote(quote(text)) == text
    assert quote("a b/ü") == "a%20b/%C3%BC"
    for bad in ("%", "%z1", "%1", "%ff"):
        assert raises(InvalidGithubRepoUrlError, unquote, bad).code == "url", bad


def test_every_form_of_fw_url_names_its_repository():
    for url, owner, name, rest in (
        ("https://github.com/acme/weather", "acme", "weather", []),
        ("https://github.com/acme/weather/", "acme", "weather", []),
        ("https://github.com/acme/weather.git", "acme", "weather", []),
        ("https://www.github.com/acme/weather", "acme", "weather", []),
        ("https://github.com/acme/weather/tree/v1.2", "acme", "weather", ["v1.2"]),
        ("https://github.com/acme/weather/tree/main/firmware/app", "acme", "weather", ["main", "firmware", "app"]),
        ("https://github.com/acme/weather/tree/feature%2Fx/a%20b", "acme", "weather", ["feature/x", "a b"]),
    ):
        made = Repository(url)
        assert (made.owner, made.name, made.rest, made.is_github) == (owner, name, rest, True), url


def test_what_is_no_repository_is_refused():
    for url in (
        "https://github.com/acme",
        "https://github.com/",
        "https://github.com/acme/weather/blob/main/x.py",
        "https://github.com/acme/weather/tree",
        "https://github.com/acme/../x",
        "https://github.com/acme/.git",
    ):
        assert raises(InvalidGithubRepoUrlError, Repository, url).code == "url", url


def test_only_hosts_that_the_settings_name_are_asked():
    assert raises(InvalidGithubRepoUrlError, Repository, "https://git.acme.org/a/b").code == "git_host"
    assert raises(InvalidGithubRepoUrlError, Repository, "http://10.0.0.1:8080/a/b", ["10.0.0.1:9090"]).code == "git_host"
    assert raises(InvalidGithubRepoUrlError, Repository, "https://github.com:8443/a/b").code == "git_host"
    assert not Repository("https://git.acme.org/a/b", ["git.acme.org"]).is_github
    assert not Repository("http://10.0.0.1:8080/a/b", ["10.0.0.1:8080"]).is_github


def test_the_branch_is_main_unless_named_and_slashes_are_tried_from_the_shortest():
    assert github.refs(Repository("https://github.com/a/b")) == [("main", "")]
    assert github.refs(Repository("https://github.com/a/b/tree/v1")) == [("v1", "")]
    tries = github.refs(Repository("https://github.com/a/b/tree/feature/x/fw"))
    assert tries == [("feature", "x/fw"), ("feature/x", "fw"), ("feature/x/fw", "")]
    assert len(github.refs(Repository("https://github.com/a/b/tree/" + "x/" * 50))) == github.MAX_REF_PARTS


def test_github_com_has_three_names_and_another_host_has_one():
    there = Repository("https://github.com/a/b")
    assert github.commit_url(there, "v 1") == ("https", "api.github.com", 443, "/repos/a/b/commits/v%201")
    assert github.raw_url(there, "c" * 40, "x y.py") == ("https", "raw.githubusercontent.com", 443, "/a/b/" + "c" * 40 + "/x%20y.py")
    here = Repository("http://127.0.0.1:8080/a/b", ["127.0.0.1:8080"])
    assert github.tree_url(here, "c" * 40) == ("http", "127.0.0.1", 8080, "/api/v3/repos/a/b/git/trees/" + "c" * 40 + "?recursive=1")
    assert github.raw_url(here, "c" * 40, "x") == ("http", "127.0.0.1", 8080, "/raw/a/b/" + "c" * 40 + "/x")


def test_each_refusal_of_the_git_host_has_its_own_code():
    for status, headers, code, later in (
        (403, {"x-ratelimit-remaining": "0"}, "git_limit", True),
        (403, {"x-ratelimit-remaining": "12"}, "git_denied", True),
        (403, {"retry-after": "30"}, "git_limit", True),
        (429, {}, "git_limit", True),
        (401, {}, "git_denied", True),
        (404, {}, "git_repo", False),
        (409, {}, "git_empty", False),
        (422, {}, "git_ref", False),
        (500, {}, "git_status", True),
        (503, {}, "git_status", True),
    ):
        exc = github.refusal(status, headers, "a/b")
        assert (exc.code, exc.later) == (code, later), (status, headers)


def test_the_wait_is_read_against_the_servers_own_clock():
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "784111877", "date": "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert github.refusal(403, headers, "").wait == 100
    headers["retry-after"] = "7"
    assert github.refusal(403, headers, "").wait == 7
    assert github.refusal(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9", "date": "nonsense"}, "").wait == 60
    headers["retry-after"] = "Sun, 06 Nov 1994 09:00:00 GMT"
    assert github.refusal(503, headers, "").wait == 623
    midnight = {"retry-after": "Mon, 07 Nov 1994 00:00:05 GMT", "date": "Sun, 06 Nov 1994 23:59:55 GMT"}
    assert github.wait(midnight) == 10
    assert github.wait({"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT", "date": "Sun, 06 Nov 1994 08:00:07 GMT"}) == 1
    assert github.wait({}) is None and github.wait({"date": "Sun, 06 Nov 1994 08:00:00 GMT"}) is None


def test_a_setting_that_cannot_be_used_gives_way_and_is_reported():
    values = {
        "COTA_POLL_SECONDS": "soon",
        "COTA_UPDATE_SETTINGS": "maybe",
        "COTA_KEEP": " a.txt, logs/ ,,",
        "COTA_GIT_HOSTS": "Git.Acme.org",
    }
    made = Settings(values.get)
    assert made.poll == 60 and not made.update_settings and len(made.problems) == 2
    assert made.git_hosts == ["git.acme.org"]
    rules = Rules(made.keep)
    assert rules.keeps("a.txt") and rules.keeps("logs/1") and not rules.keeps("b.txt")
    assert Settings({"COTA_POLL_SECONDS": 5}.get).poll == 5  # CircuitPython 10.1 and older give a number
    assert Settings({"COTA_POLL_SECONDS": "0"}.get).poll == 60
    assert Settings({"COTA_UPDATE_SETTINGS": "1"}.get).update_settings


def test_the_servers_address_may_lack_its_scheme_and_its_port_may_be_text():
    for url, port, address in (
        ("https://thingsboard.cloud", None, "https://thingsboard.cloud"),
        ("https://thingsboard.cloud", "443", "https://thingsboard.cloud:443"),
        ("https://thingsboard.cloud/", 8443, "https://thingsboard.cloud:8443"),
        ("thingsboard.cloud", "", "https://thingsboard.cloud"),
        ("192.168.1.4", "8080", "http://192.168.1.4:8080"),
        ("http://10.0.0.2:9090", "80", "http://10.0.0.2:9090"),
    ):
        assert server(url, port) == address, (url, port, server(url, port))

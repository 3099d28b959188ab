"""Requirements of functions."""

import pytest

from redgrease.requirements import (
    InvalidRequirement,
    Requirement,
    Version,
    default_redgrease,
    from_packages_dict,
    read_requirements,
    resolve_requirements,
    safe_requirement,
    same_name,
    to_packages_dict,
)


def resolved(requirements, enforce=None):
    return sorted(map(str, resolve_requirements(requirements, enforce)))


def test_safe_requirement():
    assert str(safe_requirement("numpy>=1")) == "numpy>=1"
    assert str(safe_requirement(b"numpy")) == "numpy"
    requirement = Requirement("numpy")
    assert safe_requirement(requirement) is requirement
    with pytest.raises(InvalidRequirement):
        safe_requirement("not a requirement!")


def test_names_are_compared_as_pypi_does():
    assert same_name("Foo_Bar>1", "foo-bar")
    assert same_name("foo.bar", Requirement("FOO__bar[x]"))
    assert not same_name("foo", "bar")
    assert not same_name("foo", "!!")


def test_packages_dict():
    packages = to_packages_dict(["a>1", "A<3", "b"])
    assert sorted(packages) == ["a", "b"]
    assert len(packages["a"]) == 2
    assert len(from_packages_dict(packages)) == 3


def test_no_requirements():
    assert resolve_requirements() == set()
    assert resolve_requirements(None, False) == set()


def test_one_requirement_need_not_be_in_a_list():
    assert resolved("numpy") == ["numpy"]
    assert resolved(b"numpy") == ["numpy"]
    assert resolved(Requirement("numpy")) == ["numpy"]


def test_duplicates_vanish_and_no_constraint_is_lost():
    assert resolved(["a", "a"]) == ["a"]
    for enforce in (None, True, "1.0"):
        assert {"a>1", "a<3"} <= set(resolved(["a>1", "redgrease", "b", "a<3"], enforce))


def test_malformed():
    with pytest.raises(InvalidRequirement):
        resolve_requirements(["!!"])


@pytest.mark.parametrize("name", ["redgrease", "RedGrease", "redgrease[all]>=1"])
def test_false_removes_redgrease(name):
    assert resolved(["a", name], False) == ["a"]


def test_true_adds_the_version_of_the_client():
    assert resolved(["a"], True) == ["a", str(default_redgrease)]
    assert resolved(["RedGrease==9"], True) == ["RedGrease==9"]
    assert default_redgrease.name == "redgrease"
    assert str(default_redgrease.specifier).startswith("==")


@pytest.mark.parametrize(
    "option, expected",
    [
        ("1.2", "redgrease[runtime]==1.2"),
        (Version("1.2"), "redgrease[runtime]==1.2"),
        (1.2, "redgrease[runtime]==1.2"),
        (">=1.2", "redgrease[runtime]>=1.2"),
        ("~=1.2", "redgrease[runtime]~=1.2"),
        ("!=1.2", "redgrease[runtime]!=1.2"),
        ("all", "redgrease[all]"),
        ("[cli]", "redgrease[cli]"),
        ("runtime,cli", "redgrease[cli,runtime]"),
        ("redgrease", "redgrease"),
        ("redgrease[all]>=1.2", "redgrease[all]>=1.2"),
        (Requirement("redgrease[x]"), "redgrease[x]"),
    ],
)
def test_other_options_take_the_place_of_what_is_asked_for(option, expected):
    assert resolved(["a", "redgrease==0.1"], option) == sorted(["a", expected])


def test_urls():
    (requirement,) = resolve_requirements([], "redgrease[runtime]@git+https://x.org/r@main")
    assert requirement.url == "git+https://x.org/r@main"


@pytest.mark.parametrize("option", ["", " ", "!", "a b"])
def test_wrong_options(option):
    with pytest.raises(InvalidRequirement):
        resolve_requirements([], option)


def test_read_requirements(tmp_path):
    (tmp_path / "more").mkdir()
    main = tmp_path / "requirements.txt"
    main.write_text(
        "# comment\n"
        "\n"
        "numpy >= 1.0  # of old\n"
        "requests \\\n  <3\n"
        "--index-url https://x.org\n"
        "thing @ https://x.org/thing.zip#egg=thing\n"
        "hashed==1 --hash=sha256:00\n"
        "-r more/other.txt\n"
        "--requirement=more/other.txt\n"
    )
    (tmp_path / "more" / "other.txt").write_text("redis\n-r ../requirements.txt\n")
    found = {requirement.name: requirement for requirement in read_requirements(main)}
    assert sorted(found) == ["hashed", "numpy", "redis", "requests", "thing"]
    assert found["thing"].url == "https://x.org/thing.zip#egg=thing"
    assert str(found["requests"].specifier) == "<3"


def test_read_several_files(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    names = {each.name for each in read_requirements(str(tmp_path / "a"), tmp_path / "b")}
    assert names == {"a", "b"}


def test_the_usual_file_is_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(str(tmp_path))
    (tmp_path / "requirements.txt").write_text("numpy")
    assert [each.name for each in read_requirements()] == ["numpy"]


@pytest.mark.parametrize("line", ["!!", "-e ./here", "--editable=./here"])
def test_lines_that_cannot_be_installed_on_a_server(tmp_path, line):
    path = tmp_path / "requirements.txt"
    path.write_text(line)
    with pytest.raises(InvalidRequirement) as caught:
        read_requirements(path)
    assert "requirements.txt" in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_requirements(tmp_path / "nothing")

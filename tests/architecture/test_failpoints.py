"""Each fail point lies in exactly one place of the code, and only the roles arm them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from adapters.failpoints import POINTS
from tests.architecture.sources import PACKAGES, PROJECT, python_files


def calls(*names: str) -> Iterator[tuple[str, str]]:
    """Where one of these functions is called, and its first argument as it is written."""
    for path in python_files(*PACKAGES):
        for node in ast.walk(ast.parse((PROJECT / path).read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in names and path.name != "failpoints.py":
                    yield str(path), ast.unparse(node.args[0])


def test_each_point_is_passed_in_exactly_one_place() -> None:
    passed = sorted((ast.literal_eval(point), path) for path, point in calls("failpoint", "failpoint_during"))
    assert passed == sorted(
        {
            "K1": "dialer/flows/place.py",
            "K2": "adapters/http.py",
            "K3": "adapters/http.py",
            "K4": "dialer/flows/place.py",
            "K5": "dialer/flows/place.py",
            "K6": "dialer/api/hooks.py",
            "K7": "dialer/api/hooks.py",
            "K8": "dialer/flows/settle.py",
            "K9": "dialer/store/claims.py",
            "K10": "dialer/flows/reconcile.py",
            "K11": "dialer/flows/importing/run.py",
            "K12": "dialer/app.py",
        }.items()
    )
    assert {point for point, _ in passed} == POINTS.keys()


def test_only_a_role_arms_them_and_only_from_the_environment() -> None:
    assert list(calls("arm")) == [("dialer/cli/roles.py", "os.environ.get(failpoints.VARIABLE, '')")]

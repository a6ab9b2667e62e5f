"""What examples/backends pin is what these tests run."""

import json
import pathlib
import unittest

HERE = pathlib.Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples" / "backends"


def python_pins(path):
    lines = [line.strip() for line in path.read_text().splitlines()]
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    return {name.partition("[")[0].lower(): version for name, version in pins.items()}


class Pins(unittest.TestCase):
    def test_python(self):
        pinned = python_pins(EXAMPLES / "python" / "requirements.txt")
        self.assertEqual(len(pinned), 4)
        self.assertLessEqual(pinned.items(), python_pins(HERE / "requirements.txt").items())

    def test_node(self):
        pinned, tested = (
            json.loads(path.read_text())["dependencies"] for path in (EXAMPLES / "node" / "package.json", HERE / "package.json")
        )
        self.assertEqual(pinned, {"jose": tested["jose"]})

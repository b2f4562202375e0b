"""Whatever comes in: the right answer, or a sentence of this package that says why not."""

import pytest

from tests.acceptance.families import FAMILIES, judge


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_right_answer_or_a_sentence(family):
    found = {case.name: judge(case) for case in FAMILIES[family]()}
    assert {name: what for name, what in found.items() if what not in ("right", "taught")} == {}

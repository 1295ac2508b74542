"""Breakages of what decides which sessions count, and of what a database may do."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

COLLATIONS = "stories/test_collations"

MUTANTS = [
    Mutant(
        "a column is compared with another column",
        "store/queries.py::_beside_stored",
        old='ON {recorded_key} = %s"',
        new='ON {recorded_key} = {key} AND %s IS NOT NULL"',
        tests=COLLATIONS,
        test="test_tables_with_different_collations",
        database="mariadb",
    ),
    Mutant(
        "tables that cannot be compared make the check fail",
        "checks/databases.py::_check_comparisons",
        old="if error.args[0] != _ILLEGAL_MIX_OF_COLLATIONS:",
        new="if True:",
        tests=COLLATIONS,
        test="test_tables_that_cannot_be_compared_are_named",
        database="mariadb",
    ),
]

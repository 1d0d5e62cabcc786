"""The cases of the tests as stories for ``beside_others``: what is laid on which ground, and of
which of the ten kinds of ways past the policies it is (0: what a policy says by itself)."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_housekeeping.declarations.boundaries import Boundaries, Contract
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import Rule, shipped_rules

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support import blind
from support.blind.still import ALARMS, MISSED
from support.catalogue_cases import DEFECTS, GROUND, SOUND
from support.doors import ACTS, BESIDE, BOUNDARIES, CONNECTS, DOORS, OUT, SIDE, WAYS
from support.doors import SOUND as DOORS_SOUND
from support.proof_cases import PLANTED as PROOF_PLANTED
from support.proof_ground import GROUND as PROOF_GROUND
from support.proof_ground import Planted, Sound
from support.proof_sound import SOUND as PROOF_SOUND
from support.reach_cases import REACH_DEFECTS
from support.reach_sound import REACH_SOUND

KINDS = (
    "what a policy says",
    "who a definer runs as",
    "ways in that are no tables",
    "what an UPDATE hands over",
    "a second setting",
    "outside the schemas",
    "system objects, parameters",
    "who connects",
    "comparisons nearly right",
    "side doors",
    "grants",
)
DOOR_KINDS = {ACTS: 1, WAYS: 2, CONNECTS: 7, SIDE: 9}
PROOF_KINDS = {"handed": 3, "second setting": 4, "nearly": 8}
RULE_KINDS = (
    ("definer-for|rule-as-owner|trigger-as-owner", 1),
    ("outside-|role-|definer-without", 5),
    ("privilege-(system|parameter|large)|leakproof|setting-unguarded", 6),
    ("setting-row", 7),
    ("publication|covert", 9),
    ("privilege-|policy-for-public", 10),
    ("", 0),
)
SOUND_KINDS = (
    ("PARAMETER|pg_catalog|pg_monitor|replication_role|lo_compat", 6),
    ("GRANT OPTION|DEFAULT PRIVILEGES", 10),
    ("", 5),
)
UNTRUSTED = "desk_app"
CONTRACT = RlsContract(schemas=("desk",), roles=(UNTRUSTED,), context=("desk.me",))
ALL_RULES = [rule for rule in shipped_rules() if rule.family != "boundary"]
# What is read off the catalog; the other proofs act as the role.
RULES = [rule for rule in ALL_RULES if rule.proof not in ("context", "isolation")]
PROVED_GROUND = f"{PROOF_GROUND} CREATE SCHEMA desk; GRANT USAGE ON SCHEMA desk TO hall_app;"


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a superuser lays on a ground, and what the migrating role does; by which contract and
    rules it is judged here. ``beside`` belongs to the ground, and a superuser lays it. That a
    ``known`` one is missed here, or raises an alarm, stands in docs/checks.md."""

    kind: int = 0
    rule: str = ""
    name: str = ""
    superuser: str = ""
    sql: str = ""
    ground: str = GROUND
    beside: str = ""
    contract: RlsContract = CONTRACT
    rules: Sequence[Rule] = tuple(RULES)
    boundaries: Boundaries = BOUNDARIES
    out: Contract = OUT
    known: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """All that is laid."""
        return (self.ground, self.beside, self.superuser, self.sql)


def kind_of(kinds: Sequence[tuple[str, int]], text: str) -> int:
    """The kind of the first pattern that a text matches."""
    return next(kind for pattern, kind in kinds if re.search(pattern, text))


def proved(case: Planted | Sound) -> Story:
    """A case of the proofs, in the schema and for the role of the others."""
    public = tuple(replace(each, table=at_desk(each.table)) for each in case.contract.public)
    contract = replace(case.contract, schemas=("desk",), roles=(UNTRUSTED,), public=public)
    return Story(
        kind=PROOF_KINDS.get(getattr(case, "kind", ""), 0),
        rule=getattr(case, "rule", ""),
        name=case.name,
        sql=at_desk(case.sql),
        ground=at_desk(PROVED_GROUND),
        contract=contract,
        rules=tuple(ALL_RULES),
    )


def at_desk(text: str) -> str:
    return text.replace("hall.", "desk.").replace("hall_app", UNTRUSTED)


def seen_blind(case: blind.Planted | blind.Sound) -> Story:
    """A case by somebody who knew no rule, likewise; who lays it is a superuser at times."""
    return Story(
        kind=case.kind,
        rule=getattr(case, "rule", ""),
        name=case.title,
        superuser="SET LOCAL ROLE hk_migrator;" + in_desk(case.sql),
        ground="SELECT 1",
        beside=in_desk(blind.GROUND).replace(f"CREATE ROLE {UNTRUSTED};", ""),
        contract=replace(
            getattr(case, "contract", blind.CONTRACT), schemas=("desk",), roles=(UNTRUSTED,)
        ),
        rules=tuple(ALL_RULES),
        boundaries=Boundaries(
            apps=tuple(
                replace(app, roles=(UNTRUSTED,), schemas=("desk",)) if app.name == "studio" else app
                for app in blind.BOUNDARIES.apps
            ),
            contracts=(blind.OUT,),
        ),
        out=blind.OUT,
        known=case in (*MISSED, *ALARMS),
    )


def in_desk(text: str) -> str:
    return re.sub(r"\bstudio\b", "desk", text.replace("studio_web", UNTRUSTED))


PLANTED = [
    Story(kind=kind_of(RULE_KINDS, rule), rule=rule, name=name, sql=sql)
    for rule, name, sql in DEFECTS
]
PLANTED += [
    Story(
        kind=kind_of(RULE_KINDS, case.rule),
        rule=case.rule,
        name=case.object,
        superuser=case.superuser,
        sql=case.sql,
    )
    for case in REACH_DEFECTS
]
PLANTED += [proved(case) for case in PROOF_PLANTED]
PLANTED += [
    Story(
        kind=DOOR_KINDS[door.kind],
        rule=door.rule,
        name=door.title,
        superuser=door.sql,
        beside=BESIDE,
    )
    for door in DOORS
]
PLANTED += [seen_blind(case) for case in (*blind.PLANTED, *MISSED)]
LOOK_ALIKES = [
    # What a policy listens to stands in rls.toml.
    Story(
        name=sql[:60],
        sql=sql,
        contract=replace(
            CONTRACT,
            context=tuple(dict.fromkeys(("desk.me", *re.findall(r"'(desk\.\w+)'", sql)))),
        ),
    )
    for sql in SOUND
]
LOOK_ALIKES += [
    Story(
        kind=kind_of(SOUND_KINDS, superuser + sql),
        name=(superuser + sql)[:60],
        superuser=superuser,
        sql=sql,
    )
    for superuser, sql in REACH_SOUND
]
LOOK_ALIKES += [proved(case) for case in PROOF_SOUND]
LOOK_ALIKES += [
    Story(kind=DOOR_KINDS[each.kind], name=each.title, superuser=each.sql, beside=BESIDE)
    for each in DOORS_SOUND
]
LOOK_ALIKES += [seen_blind(case) for case in (*blind.SOUND, *ALARMS)]

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from imgcls.config.findings import Accepted, Adjustments, Exclusion, Grouping
from imgcls.data.source import stretch_text
from imgcls.eda import findings as shortcomings
from imgcls.eda.facts import BrokenFile, CurvePoint, Drift, Facts, Finding, LeakageProbe, Pair, Series, SizeFacts
from imgcls.eda.findings import find_all
from imgcls.eda.metadata import MetaTable
from imgcls.eda.scan import ScanResult
from imgcls.eda.statistics import size_facts
from imgcls.eda.suspects import Suspect, Suspects

MakeLook = Callable[..., ScanResult]
MakeFacts = Callable[..., Facts]


@pytest.fixture(autouse=True)
def small_classes_are_not_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few images do for a class, so that looks made by hand stay small."""
    monkeypatch.setattr(shortcomings, "FEW", 10)


@pytest.fixture
def found(made_facts: MakeFacts) -> Callable[..., dict[str, Finding]]:
    """Return the findings of a look by id."""

    def call(
        look: ScanResult,
        *,
        tables: Sequence[MetaTable] = (),
        adjustments: Adjustments | None = None,
        suspects: Suspects | None = None,
        **fields: object,
    ) -> dict[str, Finding]:
        findings = find_all(
            made_facts(look, **fields),
            look,
            tables=tables,
            adjustments=adjustments or Adjustments(),
            suspects=suspects,
        )
        return {finding.id: finding for finding in findings}

    return call


def pair(first: int, second: int, splits: tuple[str, str], labels: tuple[str, str] | None = ("a", "a")) -> Pair:
    return Pair(
        first=f"s{first:02d}",
        second=f"s{second:02d}",
        kind="near copy",
        similarity=0.9,
        splits=splits,
        labels=labels,
    )


def guess(by: str, *, auc: float = 0.9, p: float = 0.002, n_values: int = 8, **shared: float) -> LeakageProbe:
    return LeakageProbe(by=by, auc=auc, p=p, n=20, n_values=n_values, shared=shared)


def even(n: int = 40) -> list[str]:
    return ["a", "b"] * (n // 2)


def split(n: int = 40, *, n_valid: int = 10, n_test: int = 0) -> list[str]:
    return ["train"] * (n - n_valid - n_test) + ["valid"] * n_valid + ["test"] * n_test


class TestNothing:
    def test_plain_data_give_no_finding(self, made_look: MakeLook, found) -> None:
        assert found(made_look(even(80), split(80, n_valid=20))) == {}


class TestSuspectLabels:
    def test_labels_that_a_run_doubts_are_a_finding_while_they_are_those_of_the_data(
        self, made_look: MakeLook, found
    ) -> None:
        def suspect(image: str, label: str) -> Suspect:
            return Suspect(
                image=image, label=label, looks_like="b", p_label=0.1, p_looks_like=0.9, reason="prediction", copy=""
            )

        listed = (suspect("s00", "a"), suspect("s02", "b"), suspect("s39", "b"), suspect("gone", "a"))
        doubted = Suspects(run="baseline-s0-oof5-0", data_digest="d", n=40, suspects=listed, created="2026-01-01")
        look = made_look(even(), split(n_test=5))  # s02 is called a now, s39 is of the sealed test
        finding = found(look, suspects=doubted)["labels.suspect"]
        assert (finding.severity, finding.n, finding.images) == ("warning", 1, ("s00",))
        assert finding.examples == ("s00: a, looks like b",)
        assert finding.command == "imgcls review baseline-s0-oof5-0"
        assert "labels.suspect" not in found(look, suspects=replace(doubted, suspects=listed[1:]))


class TestCopies:
    def test_copies_across_a_drawn_split_are_grouped(self, made_look: MakeLook, found) -> None:
        pairs = (pair(0, 35, ("train", "valid")), pair(35, 36, ("valid", "valid")))
        findings = found(made_look(even(), split()), duplicates=pairs)
        across = findings["duplicates.across"]
        assert (across.severity, across.n, across.action) == ("error", 1, "group")
        assert across.groups == (("s00", "s35"),)
        assert across.command == "imgcls eda apply duplicates.across"
        assert across.examples == ("s00 (train) = s35 (valid), near copy",)

    def test_copies_of_given_parts_are_excluded_from_train_only(self, made_look: MakeLook, found) -> None:
        splits = split(40, n_valid=10, n_test=10)
        look = made_look(even(), splits, given=splits)
        pairs = (
            pair(0, 25, ("train", "valid")),
            pair(1, 35, ("train", "test"), None),
            pair(26, 36, ("valid", "test"), None),
        )
        across = found(look, duplicates=pairs)["duplicates.across"]
        assert (across.n, across.action, across.groups) == (3, "exclude", (("s00", "s01"),))

    def test_copies_in_given_parts_alone_cannot_be_mended_here(self, made_look: MakeLook, found) -> None:
        splits = split(40, n_valid=10, n_test=10)
        pairs = (pair(26, 36, ("valid", "test"), None),)
        across = found(made_look(even(), splits, given=splits), duplicates=pairs)["duplicates.across"]
        assert (across.severity, across.action, across.groups) == ("error", None, ())
        assert "never changed" in across.advice

    def test_drawn_and_given_parts_at_once_make_two_findings(self, made_look: MakeLook, found) -> None:
        given = [""] * 30 + ["test"] * 10
        look = made_look(even(), split(40, n_valid=10, n_test=10), given=given)
        findings = found(look, duplicates=(pair(0, 25, ("train", "valid")), pair(1, 35, ("train", "test"), None)))
        assert findings["duplicates.across"].groups == (("s01",),)
        assert findings["duplicates.across:drawn"].groups == (("s00", "s25"),)

    def test_a_conflict_excludes_all_copies_and_is_no_other_finding(self, made_look: MakeLook, found) -> None:
        pairs = (pair(0, 1, ("train", "train"), ("a", "b")), pair(2, 35, ("train", "valid"), ("a", "b")))
        findings = found(made_look(even(), split()), duplicates=pairs)
        conflict = findings["duplicates.conflict"]
        assert (conflict.severity, conflict.n, conflict.action) == ("error", 2, "exclude")
        assert conflict.groups == (("s00", "s01", "s02", "s35"),)
        assert conflict.examples[0] == "s00 (a) = s01 (b), near copy"
        assert set(findings) == {"duplicates.conflict"}

    def test_a_conflict_with_a_given_part_leaves_that_part(self, made_look: MakeLook, found) -> None:
        splits = split()
        pairs = (pair(2, 35, ("train", "valid"), ("a", "b")),)
        conflict = found(made_look(even(), splits, given=splits), duplicates=pairs)["duplicates.conflict"]
        assert conflict.groups == (("s02",),)

    def test_copies_in_one_part_are_grouped_in_families(self, made_look: MakeLook, found) -> None:
        pairs = (pair(0, 2, ("train",) * 2), pair(2, 4, ("train",) * 2), pair(6, 8, ("train",) * 2))
        within = found(made_look(even(), split()), duplicates=pairs)["duplicates.within"]
        assert (within.severity, within.action) == ("warning", "group")
        assert within.groups == (("s00", "s02", "s04"), ("s06", "s08"))

    def test_copies_that_stay_together_already_need_nothing(self, made_look: MakeLook, found) -> None:
        groups = ["one"] * 3 + [""] * 37
        pairs = (pair(0, 2, ("train",) * 2),)
        within = found(made_look(even(), split(), groups=groups), duplicates=pairs)["duplicates.within"]
        assert (within.severity, within.action, within.groups, within.command) == ("note", None, (), None)

    def test_copies_in_test_alone_are_no_finding(self, made_look: MakeLook, found) -> None:
        pairs = (pair(38, 39, ("test", "test"), None),)
        assert found(made_look(even(), split(40, n_valid=10, n_test=5)), duplicates=pairs) == {}


class TestGiveaways:
    def test_a_guess_is_a_warning_with_advice_of_its_own(self, made_look: MakeLook, found) -> None:
        finding = found(made_look(even(), split()), guesses=(guess("time"),))["guess:time"]
        assert (finding.severity, finding.action) == ("warning", None)
        assert "time stamp alone: AUC 0.90" in finding.title
        assert finding.command == "imgcls eda keep guess:time --why REASON"

    @pytest.mark.parametrize(("auc", "p"), [(0.55, 0.002), (0.9, 0.4)])
    def test_a_guess_that_chance_explains_is_none(self, made_look: MakeLook, found, auc: float, p: float) -> None:
        assert found(made_look(even(), split()), guesses=(guess("time", auc=auc, p=p),)) == {}

    def test_names_that_name_their_class_are_only_noted(self, made_look: MakeLook, found) -> None:
        look = made_look(even(), split())
        ids = [f"{label}-{number}.jpg" for number, label in enumerate(even())]
        look.scan.samples.frame["id"] = ids
        assert found(look, guesses=(guess("name"),))["guess:name"].severity == "note"
        look.scan.samples.frame["id"] = [f"x{number}.jpg" for number in range(40)]
        assert found(look, guesses=(guess("name"),))["guess:name"].severity == "warning"

    def test_an_order_that_groups_keep_together_is_only_noted(self, made_look: MakeLook, found) -> None:
        blocks = [f"b{number // 10}" for number in range(40)]
        grouped = found(made_look(even(), split(), groups=blocks), guesses=(guess("order"),))
        assert grouped["guess:order"].severity == "note"
        assert found(made_look(even(), split()), guesses=(guess("order"),))["guess:order"].severity == "warning"

    def test_a_shared_sender_is_grouped_where_validation_is_drawn(self, made_look: MakeLook, found) -> None:
        senders = [f"p{number % 8}" for number in range(40)]
        table = MetaTable("who.csv", {"sender": senders})
        guesses = (guess("sender of who.csv", valid=1.0, test=0.0),)
        findings = found(made_look(even(), split()), guesses=guesses, tables=[table])
        shared = findings["shared:sender of who.csv"]
        assert (shared.severity, shared.action) == ("error", "group")
        assert len(shared.groups) == 8
        assert shared.groups[0] == ("s00", "s08", "s16", "s24", "s32")
        assert shared.command == "imgcls eda apply 'shared:sender of who.csv'"
        assert "AUC" in shared.title
        assert "guess:sender of who.csv" not in findings

    def test_a_given_test_part_is_left_out_of_the_groups(self, made_look: MakeLook, found) -> None:
        table = MetaTable("who.csv", {"sender": [f"p{number % 8}" for number in range(40)]})
        look = made_look(even(), split(40, n_test=10), given=[""] * 30 + ["test"] * 10)
        by_valid = found(look, guesses=(guess("sender of who.csv", valid=1.0, test=1.0),), tables=[table])
        grouped = {name for family in by_valid["shared:sender of who.csv"].groups for name in family}
        assert grouped == {f"s{number:02d}" for number in range(30)}
        by_test = found(look, guesses=(guess("sender of who.csv", valid=0.0, test=1.0),), tables=[table])
        assert by_test["shared:sender of who.csv"].groups == ()

    def test_given_parts_are_never_grouped(self, made_look: MakeLook, found) -> None:
        senders = [f"p{number % 8}" for number in range(40)]
        splits = split()
        guesses = (guess("sender of who.csv", valid=1.0),)
        look = made_look(even(), splits, given=splits)
        shared = found(look, guesses=guesses, tables=[MetaTable("who.csv", {"sender": senders})])
        assert shared["shared:sender of who.csv"].severity == "warning"
        assert shared["shared:sender of who.csv"].groups == ()

    def test_a_property_is_no_identity(self, made_look: MakeLook, found) -> None:
        table = MetaTable("what.csv", {"colour": ["red", "blue"] * 20})
        guesses = (guess("colour of what.csv", n_values=2, valid=1.0),)
        assert set(found(made_look(even(), split()), guesses=guesses, tables=[table])) == {"guess:colour of what.csv"}

    def test_a_part_that_differs_is_told_once_by_its_clearest_measure(self, made_look: MakeLook, found) -> None:
        def drift(by: str, auc: float, p: float = 0.001) -> Drift:
            return Drift(parts=("train", "test"), by=by, auc=auc, p=p, n=(20, 10))

        drifts = (drift("size", 0.8), drift("pictures", 0.95), drift("sharpness", 0.52, 0.4))
        findings = found(made_look(even(), split(40, n_test=10)), drift=drifts)
        assert list(findings) == ["drift:test"]
        assert findings["drift:test"].examples == ("pictures: AUC 0.95, p 0.001", "size: AUC 0.80, p 0.001")


class TestShortcomings:
    def test_what_cannot_be_trained_on_is_an_error_that_says_why(self, made_look: MakeLook, found) -> None:
        findings = found(made_look(["a"] * 25, unusable="there is only one class"))
        assert findings["unusable"].severity == "error"
        assert findings["unusable"].examples == ("there is only one class",)

    def test_broken_files_are_told_by_kind(self, made_look: MakeLook, found) -> None:
        files = (
            BrokenFile(path="x/1.jpg", kind="empty", reason="empty file"),
            BrokenFile(path="x/2.jpg", kind="truncated", reason="truncated"),
            BrokenFile(path="x/3.jpg", kind="empty", reason="empty file"),
        )
        look = made_look(even(80), split(80), broken_ids=("3", "1", "2"))
        broken = found(look, broken=files)["broken"]
        assert broken.title == "3 files cannot be used: 2 empty, 1 truncated."
        assert (broken.severity, broken.action, broken.groups) == ("warning", "exclude", (("3", "1", "2"),))
        assert broken.examples[0] == "x/1.jpg: empty file"

    @pytest.mark.parametrize(("n_rare", "severity"), [(30, "note"), (8, "warning")])
    def test_imbalance(self, made_look: MakeLook, found, n_rare: int, severity: str) -> None:
        labels = ["a"] * 100 + ["b"] * n_rare
        finding = found(made_look(labels, ["valid" if n % 4 == 0 else "train" for n in range(len(labels))]))
        assert finding["classes.imbalance"].severity == severity
        assert finding["classes.imbalance"].examples[0] == f"b: {n_rare}"

    def test_rare_and_unvalidated_classes_are_named(self, made_look: MakeLook, found) -> None:
        labels = ["a"] * 30 + ["b"] * 9 + ["c"] * 30
        splits = ["train"] * 25 + ["valid"] * 5 + ["train"] * 9 + ["train"] * 24 + ["valid"] * 6
        findings = found(made_look(labels, splits))
        assert findings["classes.rare"].examples == ("b: 9",)
        assert findings["classes.unvalidated"].examples == ("b: 9 in train",)
        assert findings["classes.unvalidated"].severity == "warning"

    def test_varied_proportions(self, made_look: MakeLook, found) -> None:
        measures = {"width_px": [100, 400] * 40, "height_px": [100] * 80}
        assert "sizes.varied" in found(made_look(even(80), split(80), measures=measures))

    def test_blank_images_outside_given_parts_can_be_excluded(self, made_look: MakeLook, found) -> None:
        splits = split(80)
        measures = {"contrast": [0.5] + [50.0] * 78 + [1.0]}
        blank = found(made_look(even(80), splits, measures=measures, given=splits))["quality.blank"]
        assert (blank.n, blank.groups, blank.examples) == (2, (("s00",),), ("s00", "s79"))

    def test_blurred_images_are_far_from_the_others(self, made_look: MakeLook, found) -> None:
        sharpness = [300.0 + number for number in range(80)]
        assert "quality.blurred" not in found(made_look(even(80), split(80), measures={"sharpness": sharpness}))
        sharpness[7] = 2.0
        blurred = found(made_look(even(80), split(80), measures={"sharpness": sharpness}))["quality.blurred"]
        assert (blurred.examples, blurred.severity) == (("s07",), "note")

    def test_a_set_that_varies_much_has_no_blurred_images(self, made_look: MakeLook, found) -> None:
        sharpness = [10.0 ** (number % 5) for number in range(80)]
        assert "quality.blurred" not in found(made_look(even(80), split(80), measures={"sharpness": sharpness}))

    def test_a_class_without_a_labelled_image_is_told(self, made_look: MakeLook, found) -> None:
        look = made_look(even(80), split(80), classes=("a", "b", "never"))
        assert found(look)["classes.empty"].examples == ("never",)
        assert "classes.empty" not in found(made_look(even(80), split(80)))

    @pytest.mark.parametrize("gain_low", [0.01, -0.01, None])
    def test_a_rising_curve(self, made_look: MakeLook, found, gain_low: float | None) -> None:
        points = (
            CurvePoint(n_train=20, value=0.7, low=0.6, high=0.8),
            CurvePoint(n_train=40, value=0.8, low=0.7, high=0.9, gain_low=gain_low),
        )
        findings = found(made_look(even(80), split(80)), curve=points)
        assert ("curve.rising" in findings) == (gain_low == 0.01)


class TestStates:
    def test_the_worst_come_first_and_the_settled_last(self, made_look: MakeLook, found) -> None:
        pairs = (pair(0, 35, ("train", "valid")), pair(2, 4, ("train", "train")))
        adjustments = Adjustments(kept=(Accepted(finding="duplicates.across", why="as it should be"),))
        findings = found(
            made_look(even(), split()), duplicates=pairs, adjustments=adjustments, guesses=(guess("time"),)
        )
        assert [(entry.id, entry.state) for entry in findings.values()] == [
            ("duplicates.within", "open"),
            ("guess:time", "open"),
            ("duplicates.across", "kept"),
        ]

    def test_what_was_applied_and_is_not_seen_any_more_is_told(self, made_look: MakeLook, found) -> None:
        adjustments = Adjustments(
            excluded=(Exclusion(images=("gone", "away"), finding="broken", why="2 files cannot be used."),),
            grouped=(Grouping(images=("s00", "s35"), finding="duplicates.across", why="copies"),),
        )
        findings = found(made_look(even(80), split(80)), adjustments=adjustments)
        assert {entry.id: (entry.state, entry.n, entry.action) for entry in findings.values()} == {
            "broken": ("applied", 2, "exclude"),
            "duplicates.across": ("applied", 2, "group"),
        }

    def test_new_images_open_an_applied_finding_again(self, made_look: MakeLook, found) -> None:
        adjustments = Adjustments(excluded=(Exclusion(images=("old",), finding="broken", why="1 file"),))
        files = (BrokenFile(path="new.jpg", kind="empty", reason="empty file"),)
        look = made_look(even(80), split(80), broken_ids=("new.jpg",))
        broken = found(look, broken=files, adjustments=adjustments)["broken"]
        assert (broken.state, broken.groups) == ("open", (("new.jpg",),))

    def test_what_was_kept_is_open_again_for_other_images(self, made_look: MakeLook, found) -> None:
        one, more = (
            (pair(0, 35, ("train", "valid")),),
            (pair(0, 35, ("train", "valid")), pair(2, 36, ("train", "valid"))),
        )
        kept = (Accepted(images=("s00", "s35"), finding="duplicates.across", why="looked at"),)
        look, adjustments = made_look(even(), split()), Adjustments(kept=kept)
        assert found(look, duplicates=one, adjustments=adjustments)["duplicates.across"].state == "kept"
        again = found(look, duplicates=more, adjustments=adjustments)["duplicates.across"]
        assert (again.state, again.images) == ("open", ("s00", "s02", "s35", "s36"))
        assert again.advice.startswith("It was kept before 2 images came. ")

    def test_ids_are_never_twice(self, made_look: MakeLook, made_facts: MakeFacts) -> None:
        look = made_look(even(), split(), groups=["one"] * 3 + [""] * 37)
        facts = made_facts(look, duplicates=(pair(0, 2, ("train",) * 2),))
        adjustments = Adjustments(grouped=(Grouping(images=("s00", "s02"), finding="duplicates.within", why="copies"),))
        findings = find_all(facts, look, tables=(), adjustments=adjustments)
        assert [(entry.id, entry.state) for entry in findings] == [("duplicates.within", "applied")]


@pytest.mark.parametrize(
    ("low", "high", "proposed"),
    [
        (108.2, 3996.6, "0:4095"),
        (0, 255, "0:255"),
        (0, 256, "0:511"),
        (29000, 31000, "28900:31100"),
        (0.0, 0.061, "0:0.064"),
    ],
)
def test_the_values_that_are_used_are_proposed(low: float, high: float, proposed: str) -> None:
    assert stretch_text(shortcomings.proposed_stretch(low, high)) == proposed


def test_unused_values_are_a_warning_until_they_are_stretched(
    made_look: MakeLook, found: Callable[..., dict[str, Finding]]
) -> None:
    def findings(*values: float, stretch: tuple[float, float] | None = None) -> dict[str, Finding]:
        look = made_look(even(), split())
        known = np.tile(np.array(values, dtype=np.float32), (40, 1))
        scan = replace(look.scan, values=known, samples=replace(look.scan.samples, stretch=stretch))
        seen = made_facts_of(replace(look, scan=scan))
        return found(replace(look, scan=scan), sizes=seen)

    def made_facts_of(look: ScanResult) -> SizeFacts:
        return size_facts(look.scan, device="cpu")

    finding = findings(108, 3997, 0, 65535)["values.unused"]
    assert (finding.severity, finding.n) == ("warning", 40)
    assert (
        finding.title
        == "40 photographs of more than 8 bits use the values 108 to 3,997 of 0 to 65,535: 15 of 256 gray levels."
    )
    assert finding.command == "imgcls eda --stretch 0:4095"
    assert "values.unused" not in findings(108, 3997, 0, 4095, stretch=(0.0, 4095.0))
    assert "values.unused" not in findings(0, 65000, 0, 65535)
    assert "values.unused" not in findings(0, 0, 0, 0)
    assert "40 of 40 photographs" in findings(0, 9000, 0, 4095, stretch=(0.0, 4095.0))["values.unused"].title


class TestSeries:
    """Photographs that belong together without being copies."""

    SERIES = Series(
        by="names",
        pattern="{group}_*",
        auc=0.95,
        p=0.001,
        groups=(("s00", "s02", "s30"), ("s01", "s31")),
        sizes=(2, 2, 3),
        n_valid=8,
        n_shared=2,
        score=0.92,
        score_whole=0.38,
        n_folds=5,
    )

    def test_a_drawn_split_can_keep_them_together(self, found, made_look):
        entry = found(made_look(even(), split()), series=self.SERIES)["series"]
        assert (entry.severity, entry.action, entry.groups) == ("error", "group", self.SERIES.groups)
        assert "2 of 8 in valid have one of theirs in train" in entry.title
        assert "0.92, with series whole 0.38" in entry.title
        assert "--group-from '{group}_*'" in entry.advice
        assert entry.command == "imgcls eda apply series"

    def test_a_score_that_does_not_fall_is_a_warning(self, found, made_look):
        series = self.SERIES.model_copy(update={"score_whole": 0.915, "pattern": None})
        entry = found(made_look(even(), split()), series=series)["series"]
        assert (entry.severity, entry.advice) == ("warning", "Keep them together.")

    def test_given_parts_are_never_changed(self, found, made_look):
        entry = found(made_look(even(), split(), given=split()), series=self.SERIES)["series"]
        assert (entry.severity, entry.action, entry.groups) == ("warning", None, ())
        assert entry.command is not None
        assert entry.command.startswith("imgcls eda keep series")

    def test_where_the_data_give_groups_to_all_it_is_a_note(self, found, made_look):
        groups = [f"g{number % 20}" for number in range(40)]
        entry = found(made_look(even(), split(), groups=groups), series=self.SERIES)["series"]
        assert "nothing is to be done unless wider ones are meant" in entry.title  # notes have no advice on a terminal
        assert (entry.severity, entry.action, entry.command) == ("note", None, None)

    def test_series_that_are_kept_together_need_nothing(self, found, made_look):
        groups = ["one" if number in (0, 2, 30) else "two" if number in (1, 31) else "" for number in range(40)]
        assert "series" not in found(made_look(even(), split(), groups=groups), series=self.SERIES)

    def test_what_only_looks_alike_is_a_note_and_no_claim(self, found, made_look):
        entry = found(made_look(even(), split()), alike=0.5)["alike"]
        assert (entry.severity, entry.action, entry.command) == ("note", None, None)
        assert found(made_look(even(), split()), alike=0.2) == {}

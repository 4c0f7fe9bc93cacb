"""Which bucket may be a store, and which store footage goes to: for every bucket and every region."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from archive.blobs.rules import (
    BucketFacts,
    BucketTerms,
    Elsewhere,
    LifecycleRule,
    Unfit,
    Versioning,
    Within,
    codes_of,
    judge_bucket,
    judge_region,
)

_regions = st.sampled_from(["eu-west-3", "kz-ala-1", "us-east-1", ""])
_rules = st.builds(LifecycleRule, st.booleans(), st.booleans(), st.booleans())
_facts = st.builds(
    BucketFacts,
    region=_regions,
    versioning=st.sampled_from(Versioning),
    has_lock=st.booleans(),
    locks_by_default=st.booleans(),
    lifecycle=st.lists(_rules, max_size=4).map(tuple),
    uses_tls=st.booleans(),
)
_terms = st.builds(BucketTerms, region=_regions, erases_versions=st.booleans(), is_production=st.booleans())


def codes(facts: BucketFacts, terms: BucketTerms) -> set[Unfit]:
    return {one.code for one in judge_bucket(facts, terms)}


@given(_facts, _terms)
def test_no_bucket_of_another_region_is_ever_a_store(facts: BucketFacts, terms: BucketTerms) -> None:
    assert (Unfit.WRONG_REGION in codes(facts, terms)) == (facts.region != terms.region)


@given(_facts, _terms)
def test_in_production_nothing_is_stored_in_clear(facts: BucketFacts, terms: BucketTerms) -> None:
    assert Unfit.PLAIN_HTTP in codes(replace(facts, uses_tls=False), replace(terms, is_production=True))
    assert Unfit.PLAIN_HTTP not in codes(replace(facts, uses_tls=True), terms)


@given(_facts, _terms)
def test_a_bucket_that_keeps_versions_or_locks_is_a_store_only_where_versions_are_erased(
    facts: BucketFacts, terms: BucketTerms
) -> None:
    keeps = facts.versioning is not Versioning.NEVER
    without = codes(facts, replace(terms, erases_versions=False))
    assert (Unfit.KEEPS_VERSIONS in without, Unfit.HAS_OBJECT_LOCK in without) == (keeps, facts.has_lock)
    assert not {Unfit.KEEPS_VERSIONS, Unfit.HAS_OBJECT_LOCK} & codes(facts, replace(terms, erases_versions=True))


@given(_facts, _terms)
def test_a_bucket_that_locks_everything_is_never_a_store(facts: BucketFacts, terms: BucketTerms) -> None:
    assert (Unfit.LOCKS_BY_DEFAULT in codes(facts, terms)) == facts.locks_by_default


@given(_facts, _terms)
def test_no_rule_at_work_may_touch_what_is_current(facts: BucketFacts, terms: BucketTerms) -> None:
    found = codes(facts, terms)
    assert (Unfit.EXPIRES_FOOTAGE in found) == any(one.is_enabled and one.expires_current for one in facts.lifecycle)
    assert (Unfit.MOVES_FOOTAGE in found) == any(one.is_enabled and one.moves_current for one in facts.lifecycle)


@given(_facts, _terms, st.integers(0, 4))
def test_rules_that_only_tidy_never_matter(facts: BucketFacts, terms: BucketTerms, count: int) -> None:
    tidy = (LifecycleRule(is_enabled=True, expires_current=False, moves_current=False),) * count
    assert judge_bucket(facts, terms) == judge_bucket(replace(facts, lifecycle=facts.lifecycle + tidy), terms)


@given(_facts, _terms)
def test_every_objection_is_told_once_with_what_to_do(facts: BucketFacts, terms: BucketTerms) -> None:
    objections = judge_bucket(facts, terms)
    assert len({one.code for one in objections}) == len(objections)
    assert all(len(one.why) > 20 for one in objections)
    assert codes_of(objections).split(", ") == [str(one.code) for one in objections] or not objections


@given(_terms)
def test_the_plainest_bucket_of_the_region_is_always_fit(terms: BucketTerms) -> None:
    plain = BucketFacts(
        terms.region, Versioning.NEVER, has_lock=False, locks_by_default=False, lifecycle=(), uses_tls=True
    )
    assert judge_bucket(plain, terms) == ()


@given(_regions | st.none(), st.frozensets(_regions.filter(bool)))
def test_footage_goes_to_its_own_region_or_nowhere(promised: str | None, served: frozenset[str]) -> None:
    verdict = judge_region(promised, served)
    if promised in served:
        assert verdict == Within(promised)
    else:
        assert isinstance(verdict, Elsewhere)
        assert verdict.why

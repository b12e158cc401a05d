import pytest

from flotilla.cache_use import CachePolicy
from flotilla.gateway.cache_control import policy_of


@pytest.mark.parametrize(
    ("header", "policy"),
    [
        (None, CachePolicy()),
        ("", CachePolicy()),
        ("no-cache", CachePolicy(reads=False)),
        ("No-Cache", CachePolicy(reads=False)),
        ("no-store", CachePolicy(reads=False, writes=False)),
        ("no-cache, no-store", CachePolicy(reads=False, writes=False)),
        ("max-age=60", CachePolicy(max_age=60)),
        ('max-age="60" , private', CachePolicy(max_age=60)),
        ("max-age=0", CachePolicy(reads=False, max_age=0)),
        ("max-age=soon", CachePolicy()),
        ("only-if-cached, ,=", CachePolicy()),
    ],
)
def test_a_header_says_what_is_read_and_what_is_kept(
    header: str | None, policy: CachePolicy
) -> None:
    assert policy_of(header) == policy

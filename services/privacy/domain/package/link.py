"""The link to a package: a secret that is good for one download."""

from shared.bearers import BearerSecret


class PackageLink(BearerSecret):
    """What stands in the link; only its digest is kept."""

    __slots__ = ()
    prefix = "pkg_"

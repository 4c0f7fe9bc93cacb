"""Where whoever was refused can complain, by whose law an operator keeps to. Pure.

Where none is named here, whoever refuses names it: a wrong address is worse than a question.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from archive.retention.rules import Profile

AUTHORITY_OF: Final[Mapping[Profile, str]] = MappingProxyType(
    {
        Profile.FRANCE: "Commission nationale de l'informatique et des libertés (CNIL), www.cnil.fr",
        Profile.LUXEMBOURG: "Commission nationale pour la protection des données (CNPD), cnpd.public.lu",
        Profile.UNITED_KINGDOM: "Information Commissioner's Office (ICO), ico.org.uk",
    }
)

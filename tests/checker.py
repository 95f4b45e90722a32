"""The type checker that jaxtyping's import hook calls: beartype, with int accepted where float is asked for."""

from beartype import BeartypeConf, beartype

beartype_pep484_tower = beartype(conf=BeartypeConf(is_pep484_tower=True))

"""Copy a living neuronal network's synaptic map, paste it into memory, run it, compare it with the original.

The public names are listed in ``__init__.pyi`` and imported when they are first used, so that
``import neurograft`` stays quick.
"""

import lazy_loader

from neurograft.version import VERSION

__version__ = VERSION
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""The number of threads as one of those that threadpoolctl limits."""

from __future__ import annotations

import importlib.metadata


def register() -> None:
    """Makes threadpoolctl, where it is installed, know agnesi's threads; they are listed as "agnesi".

    Its library wants to know of others before it is asked, so this is done when agnesi is imported.
    """
    try:
        import threadpoolctl
    except ImportError:
        return

    class Threads(threadpoolctl.LibController):  # type: ignore[misc]
        user_api = internal_api = "agnesi"
        filename_prefixes = ("_runtime.",)
        check_symbols = ("agnesi_get_num_threads", "agnesi_set_num_threads")

        def get_num_threads(self) -> int:
            return self.dynlib.agnesi_get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            self.dynlib.agnesi_set_num_threads(num_threads)

        def get_version(self) -> str:
            return importlib.metadata.version("agnesi")

    threadpoolctl.register(Threads)

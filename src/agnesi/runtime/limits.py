"""The number of threads as one of those that threadpoolctl limits."""

from __future__ import annotations

import importlib.metadata

from agnesi.runtime.threads import available


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
            return min(available(), self.dynlib.agnesi_get_num_threads())

        def set_num_threads(self, num_threads: int) -> None:
            # As many as there are processors is no limit: a call may ask for more.
            self.dynlib.agnesi_set_num_threads(num_threads if num_threads < available() else 2**30)

        def get_version(self) -> str:
            return importlib.metadata.version("agnesi")

    threadpoolctl.register(Threads)

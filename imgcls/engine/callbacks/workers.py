"""The processes that prepare batches live as long as a fit, no longer."""

from __future__ import annotations

from fastai.callback.core import Callback

from imgcls.engine.loaders import PhotoLoader


class EndWorkers(Callback):
    """Ends the worker processes when a fit, a validation or a prediction is over."""

    order = 95  # after everything that may still ask a loader for a batch

    def after_fit(self) -> None:
        """End them; those of a loader that was made for a prediction alone too."""
        for loader in (*self.dls.loaders, getattr(self.learn, "dl", None)):
            if isinstance(loader, PhotoLoader):
                loader.stop_workers()

"""What the process of privacy works with while it runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.privacy.settings import Settings
from shared.personal import Sealer
from shared.service import Kernel


@asynccontextmanager
async def furnish(kernel: Kernel[Settings]) -> AsyncIterator[Sealer]:
    """The office, for the API; the sealer, for jobs that open or seal something."""
    kernel.app.state.office = kernel
    yield kernel.sealer

"""What happens later or elsewhere: jobs that were scheduled in a transaction, and sweeps that come round."""

from shared.jobs.backlog import measure_jobs
from shared.jobs.sweeps import sweep
from shared.jobs.worker import Again, Does, Outside, Worker

__all__ = ["Again", "Does", "Outside", "Worker", "measure_jobs", "sweep"]

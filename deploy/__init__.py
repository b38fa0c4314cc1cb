"""Setting Balcão up and running it: databases, migrations, the local run."""

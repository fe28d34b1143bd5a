"""What the tests put into the emulator."""

import harness

# Arguments of the emulator that most tests use: a small account, nothing provisions for long.
EMULATOR = ("--environments", 1, "--clusters", 1, "--connectors", 2, "--provisioning", 0)

PLAIN = {
    "connector.class": "DatagenSource",
    "kafka.auth.mode": "KAFKA_API_KEY",
    "kafka.api.key": "GWBUMBX4FNXHQ4TN",
    "kafka.api.secret": "never-shown-1f0c",
    "kafka.topic": "orders",
    "output.data.format": "JSON",
    "quickstart": "ORDERS",
    "tasks.max": "1",
}

# A second one of another class, with a setting in another script.
OTHER = {
    "connector.class": "DatagenSource",
    "kafka.auth.mode": "KAFKA_API_KEY",
    "kafka.api.key": "J5QWRTV3MZPK7BQX",
    "kafka.api.secret": "never-shown-77aa",
    "kafka.topic": "größe-名前",
    "output.data.format": "AVRO",
    "quickstart": "PAGEVIEWS",
    "tasks.max": "2",
}

# One that reads two topics; not in every site.
SINK = {
    "connector.class": "S3Sink",
    "kafka.auth.mode": "KAFKA_API_KEY",
    "kafka.api.key": "J5QWRTV3MZPK7BQX",
    "kafka.api.secret": "never-shown-31bd",
    "topics": "orders,refunds",
    "aws.access.key.id": "never-shown-8e20",
    "aws.secret.access.key": "never-shown-c4f1",
    "s3.bucket.name": "archive",
    "time.interval": "HOURLY",
    "input.data.format": "JSON",
    "output.data.format": "JSON",
    "tasks.max": "1",
}


def first_cluster(emulator):
    """The ids of an environment and of a cluster in it."""
    for env, clusters in clusters_of(emulator):
        for cluster in clusters:
            return env, cluster
    raise AssertionError("an account without clusters")


def clusters_of(emulator):
    return [(env, list(clusters)) for env, clusters in emulator.account().items()]


def site(emulator):
    """The first cluster, with `plain` and `other` in it."""
    made = harness.Site(emulator, *first_cluster(emulator))
    made.create("plain", PLAIN)
    made.create("other", OTHER)
    return made

"""Breakages of the Redis bus."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "the Redis bus waits for ever for the answer to a ping",
        "bus/redis.py::RedisBus.subscribe",
        old="if message is None and answer_is_due:",
        new="if False:",
        tests="bus/test_redis",
        test="test_a_server_that_answers_no_ping_is_left",
    ),
    Mutant(
        "the Redis bus does not say that it listens again",
        "bus/redis.py::RedisBus.subscribe",
        old="                    yield None\n",
        new="                    self.channel\n",
        tests="bus/test_buses",
        test="test_who_loses_the_connection_is_told",
        database="postgresql",
    ),
    Mutant(
        "the Redis bus connects again without a word",
        "bus/redis.py::_bounds",
        old='"retry": retry(NoBackoff(), 0),',
        new='"retry": retry(NoBackoff(), 3),',
        tests="bus/test_buses",
        test="test_who_loses_the_connection_is_told",
        database="postgresql",
    ),
    Mutant(
        "the address of the Redis bus has credentials",
        "bus/redis_addresses.py::place_of",
        old="form).format(**options)",
        new="form).format(**options) and url",
        tests="bus/test_redis",
        test="test_its_address_has_no_credentials",
    ),
    Mutant(
        "the address of the Redis bus has a password that is not quoted",
        "bus/redis_addresses.py::options_of",
        old="if parts.fragment or not",
        new="if not",
        tests="bus/test_redis",
        test="test_its_address_has_no_credentials",
    ),
    Mutant(
        "an error of the Redis bus holds passwords",
        "bus/redis_addresses.py::options_of",
        old="    if user or password:\n",
        new="    if options.update(username=user, password=password):\n",
        tests="bus/test_redis",
        test="test_no_option_of_a_connection_is_a_password",
    ),
    Mutant(
        "a request waits for every node of a Cluster",
        "bus/redis.py::RedisBus.publish",
        old="if number == len(clients) or time.monotonic() > until:",
        new="if number == len(clients):",
        tests="bus/test_redis",
        test="test_no_node_answers",
    ),
    Mutant(
        "a publisher stays with the node that failed",
        "bus/redis.py::RedisBus.publish",
        old="[*clients[number:], *clients[:number]]",
        new="clients",
        tests="bus/test_redis",
        test="test_no_node_answers",
    ),
    Mutant(
        "a subscriber stays with the node that failed",
        "bus/redis.py::RedisBus.__init__",
        old="itertools.cycle(random.sample(self.urls, len(self.urls)))",
        new="itertools.repeat(self.urls[0])",
        tests="bus/test_redis",
        test="test_a_subscriber_tries_one_node_after_the_other",
    ),
    Mutant(
        "a request waits long for Sentinels",
        "bus/redis.py::RedisBus._publishers",
        old="_client(url, PATIENCE / 2)",
        new="_client(url, 2.0)",
        tests="bus/test_redis",
        test="test_a_request_waits_little_for_sentinels",
    ),
    Mutant(
        "a subscriber waits for ever for Sentinels",
        "bus/redis.py::RedisBus._subscriber",
        old="_async_client(each, SUBSCRIBERS_PATIENCE / 2)",
        new="_async_client(each, 3600.0)",
        tests="bus/test_redis",
        test="test_a_server_that_says_nothing_is_left",
    ),
]

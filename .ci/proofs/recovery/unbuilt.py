"""Lines of the list that nothing can show yet: they fall short, so that nobody takes their silence for success."""

import types

LINES = {
    1: "killed between every two events and after every lost reply: one instance, one snapshot set, one owner of the address",
    2: "each trigger three times, out of order, two executors, an expired lease: one recovery",
    4: "each action end to end, read back by the AWS CLI; each failure mode ends in its response",
    6: "under a second to the first call; 10,000 open recoveries resumed in 10 s and 500 MiB",
    7: "bad input and a tampered log: clear errors, no action",
}


def line(number):
    def prove(line):
        line.check("built", "what this line is about", False, "the executor is not built")

    def sabotage(line, broken):
        prove(line)

    return types.SimpleNamespace(NUMBER=number, TITLE=LINES[number], SABOTAGE=("built", "nothing to break"), prove=prove, sabotage=sabotage)


def before(n):
    return [line(k) for k in LINES if k < n]


def between(a, b):
    return [line(k) for k in LINES if a < k < b]


def after(n):
    return [line(k) for k in LINES if k > n]

"""Line 1: the reports hold, each kind has tests of its own beyond its case, and real data raises no false word."""

import re

from proofs import judge, kit
from proofs.kit import forewarn, run, shared

NUMBER = 1
TITLE = "the reports hold, each kind has tests beyond its case, real data is told nothing wrong"
SABOTAGE = ("reports", "the binary is one that imports nothing")

# What shows each kind beyond the case that was reported.
KINDS = {
    "identity: devices by any name": [
        "a_device_is_what_the_columns_say_but_for_the_whole_of_it", "columns_that_say_what_is_measured_are_parts_of_the_device",
        "what_counters_of_windows_measure_is_told_apart",
    ],
    "identity: unknown columns": [
        "a_column_that_alone_tells_rows_apart_joins_the_device_and_one_that_does_not_is_no_news",
        "what_differs_in_every_row_tells_nothing_apart_and_several_columns_may_do_so_together",
    ],
    "identity: cores": ["of_cores_only_the_total_speaks"],
    "identity: statistics": [
        "statistics_that_do_not_mean_the_signal_are_kept_and_named", "another_statistic_is_heard_where_the_one_that_means_the_signal_is_silent",
        "a_sum_means_only_what_is_counted",
    ],
    "contradiction: imports": [
        "what_an_import_replaces_is_counted_and_the_same_bytes_again_replace_nothing", "rows_that_contradict_each_other_within_an_import_are_counted",
        "each_import_says_when_it_came_also_after_compaction_and_the_same_again_is_nothing_new",
        "files_of_before_have_no_such_column_and_are_read_and_compacted_with_others",
    ],
    "contradiction: units": ["counters_shares_and_what_cannot_be_are_said_with_the_name_of_the_metric", "a_counter_and_a_share_are_kept_out_and_named"],
    "habit: what stands": ["what_has_stood_at_its_end_all_week_is_no_news", "the_device_with_something_new_speaks_and_what_stands_at_its_end_is_remarked"],
    "habit: images": ["images_are_known_by_their_file_system_or_where_they_are_mounted"],
    "habit: a new level": ["six_level_hours_after_a_jump_are_a_new_level"],
    "habit: the same hour": ["what_came_last_week_is_no_news_and_what_never_came_is", "a_nightly_batch_past_the_level_is_nothing_new"],
    "habit: unlimited credits": ["credits_are_unlimited_where_surplus_was_spent_or_the_instance_says_so"],
    "life of an event": ["of_one_announcement_what_was_said_last_holds", "failed_checks_are_counted_to_the_minute"],
    "forms: metric streams": ["an_odd_point_is_skipped_and_counted_and_every_other_one_is_taken", "what_comes_before_the_place_where_an_object_breaks_off_is_taken"],
    "forms: Parquet": ["every_type_of_time_means_the_same", "categories_read_as_text_and_a_table_without_a_row_as_none"],
    "forms: CSV and JSON": ["what_stands_most_often_in_the_first_line_parts_fields", "both_documents_become_tables"],
    "forms: folders": ["folders_say_what_rows_have_in_common", "a_folder_is_read_in_order_without_markers"],
}


def reports(line, binary):
    r = run([kit.PYTHON, shared("reports", "check.py"), binary], timeout=1800)
    line.note(r.out)
    found = re.search(r"(\d+) hold, (\d+) fall short", r.out)
    line.check("reports", "reports that hold", found and found[2] == "0" and int(found[1]) >= 19 and r.code == 0, found[0] if found else r.err[-200:], "19 of 19")


def kinds(line):
    names = sorted({n for tests in KINDS.values() for n in tests})
    r = run(["cargo", "test", "--workspace", "--locked", "--no-fail-fast", "--", *names], env={"CARGO_TARGET_DIR": kit.TARGET}, timeout=3600)
    passed = {path.split("::")[-1] for path in re.findall(r"^test (\S+) \.\.\. ok$", r.out, re.M)}
    missed = [n for n in names if n not in passed]
    line.check("kinds", f"tests of {len(KINDS)} kinds that pass", not missed, f"{len(names) - len(missed)} of {len(names)}{'; not: ' + ', '.join(missed) if missed else ''}", "all")


# What the rows of the real files measure. None is something else than its signal reads; some say two values of a time, which is counted.
REAL = {
    "ec2_cpu_utilization_5f5533.csv": "CPUUtilization",
    "ec2_cpu_utilization_fe7f93.csv": "CPUUtilization",
    "ec2_disk_write_bytes_1ef3de.csv": "DiskWriteBytes",
    "ec2_network_in_257a54.csv": "NetworkIn",
    "ec2_request_latency_system_failure.csv": "RequestLatency",
    "elb_request_count_8c0756.csv": "RequestCount",
    "rds_cpu_utilization_e47b3b.csv": "CPUUtilization",
}
SAYS_NOTHING = ["rows_skipped", "rows_replacing", "told_apart_by", "outside", "doubtful", "errors"]


def real(line):
    place, wrong = line.fresh("real"), []
    files = [(shared("data", "cloudwatch", name), ["--instance", f"i-{n}", "--metric", metric]) for n, (name, metric) in enumerate(REAL.items())]
    files.append((shared("data", "servers", "metrics.parquet"), []))
    for n, (file, args) in enumerate(files):
        report = forewarn("import", "--history", place / f"h{n}", *args, file, "--format", "json").json()
        rows = judge.db().execute(f"SELECT count(*) FROM '{file}'").fetchone()[0]
        said = {k: report[k] for k in SAYS_NOTHING if report[k]}
        stats = forewarn("history", "stats", "--history", place / f"h{n}").ok().out
        if said or report["rows_written"] + report["rows_missing"] != rows or judge.rows(place / f"h{n}") != report["rows_written"]:
            wrong.append(f"{file.name}: {said or (rows, report['rows_written'], report['rows_missing'])}")
        line.note(f"{file.name}: {report['rows_written']:,} rows, contradicting {report['rows_contradicting']}; {stats.splitlines()[0]}")
    line.check("real", "real files whose import and stats say nothing wrong, with every row there", not wrong, f"{len(files) - len(wrong)} of {len(files)}{'; ' + '; '.join(wrong) if wrong else ''}", "all")


def prove(line):
    reports(line, kit.binary())
    kinds(line)
    real(line)


def sabotage(line, broken):
    dumb = line.fresh("dumb") / "forewarn"
    dumb.write_text(f'#!/bin/sh\n[ "$1" = import ] && exit 2\nexec "{kit.binary()}" "$@"\n')
    dumb.chmod(0o755)
    reports(line, dumb if broken else kit.binary())

#!/usr/bin/env python3
"""Real event logs, replayed through POST /v1/events, give exactly the known counts and distinct users in GET /v1/kpi."""
import json
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402


def kpi(server, metric, window, start, end, group=""):
    query = urllib.parse.urlencode({"metric": metric, "window": window, "from": start, "to": end, "group": group})
    status, answer = server.json("http", "GET", "/v1/kpi?" + query)
    assert status == 200, answer
    return {row["start"][:16]: row for row in answer["rows"] if row["final"]}


def total(rows):
    return sum(row["value"] for row in rows.values())


def replay(server, file, user_field, type_field, expected_rows):
    arguments = ["demo", "--url", server.url("http"), "--replay", file, "--time-field", "time", "--speed", "0"]
    arguments += ["--user-field", user_field] + (["--type-field", type_field] if type_field else [])
    print(hp.run_cli(*arguments, timeout=300).stdout.decode().strip().splitlines()[-1])


def expect(checks, name, found, wanted):
    assert found == wanted, f"{name}: found {found}, expected {wanted}"
    checks.append(name)


def main():
    wiki, access = hp.data_file("wiki-edits.ndjson.gz"), hp.data_file("access-log.ndjson.gz")
    with open(hp.data_file("answers.json"), encoding="utf-8") as file:
        answers = json.load(file)
    checks = []
    with hp.temporary_directory() as directory, hp.Server(directory) as server:
        want = answers["wiki-edits"]
        day = ("2015-09-12T00:00:00Z", "2015-09-13T00:00:00Z")
        replay(server, wiki, "user", "channel", want["rows"])
        hp.eventually(lambda: total(kpi(server, "events", "1m", *day)) == want["rows"] and
                      total(kpi(server, "events", "5m", *day)) == want["rows"] and len(kpi(server, "users", "5m", *day)) == want["windows_5min"]["non_empty"],
                      timeout=120, what="all wiki windows final")
        minutes = kpi(server, "events", "1m", *day)
        expect(checks, "wiki minutes non-empty", len(minutes), want["minutes_non_empty"])
        for minute, count in want["events_per_minute"].items():
            expect(checks, f"wiki events {minute}", minutes[minute]["value"], count)
        for minute, count in want["busiest_minutes"]:
            expect(checks, f"wiki busiest {minute}", minutes[minute]["value"], count)
        expect(checks, "wiki busiest minute", max(r["value"] for r in minutes.values()), want["busiest_minutes"][0][1])
        windows, users = kpi(server, "events", "5m", *day), kpi(server, "users", "5m", *day)
        expect(checks, "wiki 5-minute windows", len(windows), want["windows_5min"]["non_empty"])
        for start, count in want["windows_5min"]["max"]:
            expect(checks, f"wiki 5m {start}", windows[start]["value"], count)
        for start, values in want["windows_5min"]["picked"].items():
            expect(checks, f"wiki 5m count {start}", windows[start]["value"], values["count"])
            expect(checks, f"wiki 5m users {start}", users[start]["value"], values["distinct_users"])
            for channel, count in values["top_channel"]:
                rows = kpi(server, "events", "5m", *day, group="event_type=" + channel)
                expect(checks, f"wiki 5m {channel} {start}", rows[start]["value"], count)
        for hour, count in want["channel_by_hour_en"].items():
            rows = kpi(server, "events", "1h", *day, group="event_type=#en.wikipedia")
            expect(checks, f"wiki en {hour}", rows[hour + ":00"]["value"], count)

        want = answers["access-log"]
        days = ("2015-05-17T00:00:00Z", "2015-05-20T00:00:00Z")
        replay(server, access, "remote_ip", None, want["rows"])
        hp.eventually(lambda: total(kpi(server, "events", "1h", *days)) == want["rows"] and
                      len(kpi(server, "users", "1h", *days)) == len(want["events_per_hour"]), timeout=120, what="all access-log windows final")
        hours, users = kpi(server, "events", "1h", *days), kpi(server, "users", "1h", *days)
        expect(checks, "access hours", {h[:13]: r["value"] for h, r in hours.items()}, want["events_per_hour"])
        for hour, count in want["distinct_ip_per_hour_picked"].items():
            expect(checks, f"access distinct ip {hour}", users[hour + ":00"]["value"], count)
        errors = kpi(server, "errors", "1h", *days)
        expect(checks, "access errors (status >= 500)", total(errors), want["status_ge_500"])
        assert server.stop() == 0, "graceful stop failed"
    print(f"ok: {len(checks)} answers exact")


if __name__ == "__main__":
    main()

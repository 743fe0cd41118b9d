"""From the results of all rounds to a Markdown table."""

import os
import platform
import re
import statistics


WAIT_SHARE_MAX = 0.05
QUIET_SERVERS = ("floor", "tidegate")  # of one thread a CPU: they wait only for strangers


def median(values):
    return statistics.median(values)


def ratios(row, results, floors):
    """The figure over the floor's in each round, measured a moment before and after."""
    bases = {}
    for floor in floors:
        bases.setdefault(floor["round"], []).append(floor[row.figure])
    return [result[row.figure] / statistics.mean(bases[result["round"]]) for result in results
            if statistics.mean(bases.get(result["round"], [0])) > 0]


def floors_of(row, results_by_server):
    return [result for name in (row.floor, f"{row.floor} again")
            for result in results_by_server.get(name, [])]


def quantity(row, value):
    if row.figure == "bytes_each":
        return f"{value:,.0f} B"
    return f"{value / 1000:,.2f} µs"


def spread(values, form):
    if len(values) < 2:
        return form(median(values))
    return f"{form(median(values))} ({form(min(values))}–{form(max(values))})"


def row_line(row, name, results, floor):
    def of(field):
        return median([result[field] for result in results])

    figures = [result[row.figure] for result in results]
    cells = [name, spread(figures, lambda value: quantity(row, value))]
    if row.floor:
        found = ratios(row, results, floor)
        cells.append(spread(found, lambda value: f"{value:.2f}") if found else "–")
    if row.shows_bytes:
        cells.append(f"{of('received_bytes_each'):,.1f} B")
    if row.is_idle:
        cells += [f"{of('connections'):,.0f}", f"{of('resident_bytes') / 2**20:,.1f} MiB",
                  f"{of('server_pings'):,.0f}", f"{of('pongs'):,.0f}"]
    else:
        cells += [f"{of('per_second'):,.0f}",
                  f"{of('p50_us'):,.0f} µs", f"{of('p99_us'):,.0f} µs",
                  f"{of('server_cpu_share'):.0%}", f"{of('load_cpu_share'):.0%}",
                  f"{of('server_wait_share'):.0%}"]
    return "| " + " | ".join(cells) + " |"


def row_table(row, results_by_server):
    heads = ["server", row.figure_title]
    if row.floor:
        heads.append(f"of {row.floor}")
    if row.shows_bytes:
        heads.append("on the wire each")
    if row.is_idle:
        heads += ["connections", "resident", "pings answered", "pings sent and answered"]
    else:
        unit = next(iter(results_by_server.values()))[0]["unit"]
        unit = {"delivery": "deliveries"}.get(unit, unit + "s")
        heads += [f"{unit}/s", "p50", "p99", "server busy", "load busy", "server kept waiting"]
    lines = [f"### {row.title}", "", "| " + " | ".join(heads) + " |",
             "|---" + "|---:" * (len(heads) - 1) + "|"]
    floor = floors_of(row, results_by_server)
    for name, results in results_by_server.items():
        lines.append(row_line(row, name, results, floor))
    return lines + [""]


def bytes_text(row, results_by_server):
    """What a message is on the wire, with TCP's and IP's headers left out, beside the divisor's."""
    both = (results_by_server[row.measured], floors_of(row, results_by_server))
    own, divisor = [median([result["received_bytes_each"] for result in found]) for found in both]
    return f"{own:,.0f} B on the wire, {own / divisor:.2f} of {divisor:,.0f} B"


def reached(row, results_by_server):
    """(what was reached, yes or no) for the row's target."""
    results = results_by_server.get(row.measured)
    if not results:
        return "not measured", "–"
    if row.floor:
        values = ratios(row, results, floors_of(row, results_by_server))
        if not values:
            return "not measured", "–"
        text = spread(values, lambda value: f"{value:.2f}")
        if row.shows_bytes:
            text += "; " + bytes_text(row, results_by_server)
    else:
        values = [result[row.figure] for result in results]
        text = spread(values, lambda value: quantity(row, value))
    if not row.target:
        return text, "–"
    return text, "yes" if median(values) <= row.target else "**no**"


def noise(row, results_by_server):
    """The divisor's second run in each round over its first: a ratio of two that do not differ."""
    again = results_by_server.get(f"{row.floor} again", [])
    found = ratios(row, again, results_by_server.get(row.floor, []))
    return spread(found, lambda value: f"{value:.2f}") if found else "–"


def target_table(rows, results):
    lines = ["## Targets", "", "| row | to reach | reached | | second over first run of the divisor |",
             "|---|---|---|---|---|"]
    for row in rows:
        if row.is_shown_first:
            found = results.get(row.key, {})
            text, answer = reached(row, found)
            lines.append(f"| {row.title} | {row.target_title} | {text} | {answer} "
                         f"| {noise(row, found)} |")
    return lines + [""]


def is_disturbed(results):
    return any(median([result["server_wait_share"] for result in runs]) > WAIT_SHARE_MAX
               for by_server in results.values() for name, runs in by_server.items()
               if name.startswith(QUIET_SERVERS))


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def is_virtual():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return " hypervisor" in file.read()


def protocols_over_tcp():
    try:
        with open("/proc/sys/net/ipv4/tcp_available_ulp", encoding="ascii") as file:
            return file.read().split()
    except OSError:
        return []


def machine_lines():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    where = "in a virtual machine" if is_virtual() else "on hardware"
    kernel_tls = "with" if "tls" in protocols_over_tcp() else "without"
    return [f"- CPU: {cpu_model()}, {os.cpu_count()} cores, {where}; {memory:.0f} GiB",
            f"- Kernel: {platform.system()} {platform.release()}, {kernel_tls} kernel TLS"]


def whole(title, facts, rows, results, failures):
    lines = [f"# {title}", "", *machine_lines(), *[f"- {fact}" for fact in facts], ""]
    if is_disturbed(results):
        lines += [f"**The machine was not quiet**: a server was kept waiting for its CPU for more "
                  f"than {WAIT_SHARE_MAX:.0%} of its window. Run again when nothing else runs.", ""]
    lines += target_table(rows, results)
    lines += ["## Rows", "",
              "Medians of the rounds (least–most). A ratio is taken within each round, then the "
              "median of these; the divisor is the mean of a run just before and one just after "
              "(*again*). *Busy* is CPU time over the window; *kept waiting* is time the "
              "server was ready and had no CPU.",
              ""]
    for row in rows:
        if results.get(row.key):
            lines += row_table(row, results[row.key])
    if failures:
        lines += ["## Failed", "", *[f"- {failure}" for failure in failures], ""]
    return "\n".join(lines)

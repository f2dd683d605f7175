// Turns k6's summary into the rows of the report: what | measured | promised | kept.
// `run.sh` collects the rows of all scenarios; a scenario run by hand prints them.

const STATS = ['med', 'p(95)', 'p(99)', 'max', 'avg', 'count', 'rate'];

/** Options that every scenario shares. */
export function options(scenarios, thresholds) {
  return {
    scenarios,
    thresholds,
    summaryTrendStats: ['avg', 'min', 'med', 'p(90)', 'p(95)', 'p(99)', 'max'],
    // Virtual users talk to one server: a connection each, kept, as a client library would.
    noConnectionReuse: false,
  };
}

/**
 * A `handleSummary` for these rows. A row is {what, value(m), unit, most or least}, where
 * `m(metric, stat)` reads a number of the run; `most` and `least` are the bounds, in the row's unit: what
 * is promised of a quiet machine. A row with `guard: true` holds on any: its bound is wide, or relative to
 * the same run, and missing it proves that something has become worse.
 */
export function reportOf(scenario, rows) {
  return (summary) => {
    const m = (metric, stat) => {
      if (!STATS.includes(stat)) throw new Error(`no statistic ${stat}`);
      const found = summary.metrics[metric];
      return found === undefined ? NaN : found.values[stat];
    };
    const results = rows.map((row) => judge(scenario, row, row.value(m)));
    const out = { stdout: `${results.map(asRow).join('\n')}\n` };
    if (__ENV.REPORT_DIR) {
      out[`${__ENV.REPORT_DIR}/${scenario}.json`] = JSON.stringify(results, null, 1);
    }
    return out;
  };
}

function judge(scenario, row, measured) {
  const bounded = row.most !== undefined || row.least !== undefined;
  const kept =
    !Number.isNaN(measured) &&
    (row.most === undefined || measured <= row.most) &&
    (row.least === undefined || measured >= row.least);
  return {
    scenario,
    what: row.what,
    measured: Number.isNaN(measured) ? null : Number(measured.toFixed(row.digits ?? 2)),
    unit: row.unit,
    promised: bounded ? bound(row) : null,
    kept: bounded ? kept : null,
    guard: row.guard === true,
  };
}

function bound(row) {
  return row.most !== undefined ? `≤ ${row.most} ${row.unit}` : `≥ ${row.least} ${row.unit}`;
}

function asRow(result) {
  const missed = result.guard ? 'WORSE' : 'MISSED';
  const verdict = result.kept === null ? '' : result.kept ? 'kept' : missed;
  const measured = result.measured === null ? 'nothing' : `${result.measured} ${result.unit}`;
  return `| ${result.scenario} | ${result.what} | ${measured} | ${result.promised ?? ''} | ${verdict} |`;
}

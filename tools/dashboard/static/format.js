// Numbers and times as text. Times are UTC, as everywhere in the project.
"use strict";

(globalThis.weblog ??= {}).format = (() => {
  const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
  const tenth = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const two = (number) => String(number).padStart(2, "0");

  const count = (number) => (number === null || number === undefined ? "–" : whole.format(number));
  const compact = (number) => short.format(number);

  const percent = (share) => {
    if (share === null || share === undefined || !Number.isFinite(share)) return "–";
    const value = share * 100;
    if (value === 0) return "0 %";
    return value < 0.1 ? "< 0.1 %" : `${tenth.format(value)} %`;
  };

  const bytes = (number) => {
    let value = number;
    for (const unit of ["B", "kB", "MB", "GB", "TB"]) {
      if (value < 1000 || unit === "TB") {
        return `${unit === "B" ? whole.format(value) : tenth.format(value)} ${unit}`;
      }
      value /= 1000;
    }
    return "";
  };

  const milliseconds = (number) =>
    (number < 1000 ? `${whole.format(number)} ms` : `${tenth.format(number / 1000)} s`);

  const date = (seconds) => {
    const time = new Date(seconds * 1000);
    return `${time.getUTCDate()} ${months[time.getUTCMonth()]} ${time.getUTCFullYear()}`;
  };

  const clock = (seconds, withSeconds) => {
    const time = new Date(seconds * 1000);
    const text = `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}`;
    return withSeconds ? `${text}:${two(time.getUTCSeconds())}` : text;
  };

  /** A time as exact as steps of so many seconds are. */
  const time = (seconds, step) => {
    if (step >= 86400) return date(seconds);
    return `${date(seconds)} ${clock(seconds, step < 60)}`;
  };

  /** An ISO 8601 time as the log's reader would write it. */
  const iso = (text) => {
    const ms = Date.parse(text);
    return Number.isNaN(ms) ? String(text) : `${date(ms / 1000)} ${clock(ms / 1000, true)} UTC`;
  };

  const duration = (seconds) => {
    for (const [length, name] of [[604800, "week"], [86400, "day"], [3600, "hour"], [60, "minute"]]) {
      if (seconds % length === 0) {
        const times = seconds / length;
        return times === 1 ? `1 ${name}` : `${times} ${name}s`;
      }
    }
    return seconds === 1 ? "1 second" : `${seconds} seconds`;
  };

  const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

  return { count, compact, percent, bytes, milliseconds, date, clock, time, iso, duration, plural };
})();

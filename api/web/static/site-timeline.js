// <site-timeline src="...">: tickets as lanes of coloured status segments on a canvas.
// Data: {"begin": s, "end": s, "lanes": [{"number", "subject", "priority", "segments": [[from, to, status, unit], ...]}]},
// instants in seconds since 1970 UTC. Hover or arrow keys name a segment; a live region speaks it.

const DONE = new Set(["solved", "unsolved", "verified", "closed"]); // drawn low: nobody works on these
const LANE = 16, GAP = 4, LEFT = 92, TOP = 26, RIGHT = 10;
const LANES_MAX = 1500; // browsers refuse canvases of much more than 30,000 pixels
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "2-digit" });

class SiteTimeline extends HTMLElement {
  async connectedCallback() {
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
    this.speech = document.createElement("p");
    this.speech.setAttribute("role", "status");
    this.speech.className = "quiet";
    this.speech.textContent = "Loading …";
    this.append(this.speech, this.canvas, this.tip);
    try {
      const answer = await fetch(this.getAttribute("src"), { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
      this.data = await answer.json();
    } catch (error) {
      this.speech.textContent = `The timeline could not be loaded (${error.message}). The table below shows the same.`;
      return;
    }
    this.lane = 0; this.segment = 0;
    const whole = this.data.complete && this.data.lanes.length <= LANES_MAX;
    this.data.lanes = this.data.lanes.slice(0, LANES_MAX);
    const count = this.data.lanes.reduce((sum, lane) => sum + lane.segments.length, 0);
    this.canvas.setAttribute("aria-label",
      `${this.data.lanes.length} tickets in ${count} segments. Arrow keys move, Enter opens the ticket. The table below shows the same.`);
    const rest = whole ? "" : ` Only the first ${this.data.lanes.length} tickets are drawn: choose a shorter time frame, or page through the table below.`;
    this.speech.textContent = count ? `Point at a bar, or use the arrow keys.${rest}` : "No ticket in this time frame.";
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    this.canvas.addEventListener("click", (event) => { const hit = this.hit(event); if (hit) this.open(hit.lane); });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.draw();
    this.dataset.drawn = String(count);
  }

  disconnectedCallback() { this.resized?.disconnect(); }

  x(second) {
    const { begin, end } = this.data;
    return LEFT + (Math.min(Math.max(second, begin), end) - begin) / (end - begin) * (this.width - LEFT - RIGHT);
  }

  draw() {
    const { lanes, begin, end } = this.data;
    this.width = this.clientWidth;
    const height = TOP + Math.max(lanes.length, 1) * (LANE + GAP) + 8, scale = devicePixelRatio || 1;
    this.canvas.width = this.width * scale; this.canvas.height = height * scale;
    this.canvas.style.height = `${height}px`;
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(this);
    pen.scale(scale, scale);
    pen.font = "12px system-ui, sans-serif"; pen.textBaseline = "middle";
    const ink = style.getPropertyValue("color"), probe = document.createElement("i");
    this.append(probe);
    const colours = new Map();
    const colour = (status) => {
      if (!colours.has(status)) {
        probe.style.color = `var(--${status.replaceAll(" ", "-")})`;
        colours.set(status, getComputedStyle(probe).color);
      }
      return colours.get(status);
    };
    probe.style.color = "var(--line)"; const line = getComputedStyle(probe).color;
    const days = (end - begin) / 86400, step = [1, 2, 7, 14, 30, 91, 365].find((n) => days / n <= this.width / 90) || 730;
    for (let mark = Math.ceil(begin / 86400) * 86400; mark < end; mark += step * 86400) {
      pen.fillStyle = line; pen.fillRect(this.x(mark), TOP - 4, 1, height);
      pen.fillStyle = ink; pen.fillText(day.format(mark * 1000), this.x(mark) + 3, 12);
    }
    lanes.forEach((lane, index) => {
      const y = TOP + index * (LANE + GAP);
      pen.fillStyle = ink; pen.fillText(`#${lane.number}`, 8, y + LANE / 2);
      lane.segments.forEach((segment, place) => {
        const left = this.x(segment[0]), right = Math.max(this.x(segment[1]), left + 1.5);
        const low = DONE.has(segment[2]) ? LANE / 2 : 0;
        pen.fillStyle = colour(segment[2]); pen.fillRect(left, y + low, right - left, LANE - low);
        if (this.chosen && index === this.lane && place === this.segment) {
          pen.strokeStyle = ink; pen.lineWidth = 2; pen.strokeRect(left - 1, y - 1, right - left + 2, LANE + 2);
        }
      });
    });
    probe.remove();
  }

  describe(lane, segment) {
    const end = segment[1] >= this.data.end ? "still so at the end of the frame" : `until ${when.format(segment[1] * 1000)}`;
    return `#${lane.number} ${lane.subject}. ${segment[2]}, ${lane.priority}, ${segment[3]}. From ${when.format(segment[0] * 1000)} ${end}.`;
  }

  hit(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left;
    const lane = this.data.lanes[Math.floor((event.clientY - box.top - TOP) / (LANE + GAP))];
    const segment = lane?.segments.findLast((each) => this.x(each[0]) <= x + 1 && x - 1 <= Math.max(this.x(each[1]), this.x(each[0]) + 1.5));
    return segment && { lane, segment, x, y: event.clientY - box.top };
  }

  hover(event) {
    const hit = this.hit(event);
    this.tip.hidden = !hit;
    this.canvas.style.cursor = hit ? "pointer" : "";
    if (!hit) return;
    this.tip.textContent = this.describe(hit.lane, hit.segment);
    this.tip.style.left = `${Math.min(hit.x + 12, this.width - 260)}px`;
    this.tip.style.top = `${this.canvas.offsetTop + hit.y + 14}px`;
  }

  key(event) {
    const { lanes } = this.data, lane = lanes[this.lane];
    if (!lane) return;
    if (event.key === "Enter") { this.open(lane); return; }
    const move = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key];
    if (!move) return;
    event.preventDefault();
    if (this.chosen) {
      this.lane = Math.min(Math.max(this.lane + move[0], 0), lanes.length - 1);
      const last = lanes[this.lane].segments.length - 1;
      this.segment = move[0] ? 0 : Math.min(Math.max(this.segment + move[1], 0), last);
    }
    this.chosen = true;
    this.speech.textContent = this.describe(lanes[this.lane], lanes[this.lane].segments[this.segment]);
    this.draw();
  }

  open(lane) { location.href = `/tickets/${lane.number}`; }
}

customElements.define("site-timeline", SiteTimeline);

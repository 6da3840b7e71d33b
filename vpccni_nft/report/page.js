"use strict";
// Everything that is shown comes from the JSON in the page, and is set as text: no markup is made
// of it anywhere.
const report = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main");

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function section(id, title, ...children) {
  const made = element("section", { id, "aria-labelledby": `${id}-title` },
    element("h2", { id: `${id}-title` }, title), ...children);
  main.append(made);
  document.getElementById("contents").append(element("a", { href: `#${id}` }, title));
  return made;
}

function table(heads, rows, label) {
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label },
    element("table", {},
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...rows.map((cells) => element("tr", {},
        ...cells.map((cell) => element("td", {}, ...(Array.isArray(cell) ? cell : [String(cell ?? "")]))))))));
}

const counted = (number, word, words = `${word}s`) => `${number.toLocaleString("en")} ${number === 1 ? word : words}`;

// --- owners: a colour each, and always the name beside it ----------------------------------------

const node = report.node;
const owners = node ? node.owners.map((owner) => owner.name) : [];
const hueOf = (owner) => `owner-${Math.max(0, owners.indexOf(owner)) % 10}`;
const swatch = (owner) => element("span", { class: `swatch ${hueOf(owner)}`, "aria-hidden": "true" });

// --- what the node is ---------------------------------------------------------------------------

function showModes(found) {
  const names = (ends) => ends.join(", ") || "unknown";
  section("modes", "Modes",
    element("dl", {},
      ...[["kubelet", names(found.kubelet)], ["kube-proxy", names(found.kube_proxy)],
        ["VPC CNI", names(found.cni)], ["a CNI that starts now writes to", found.next_start || "unknown"]]
        .flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)])),
    element("details", {}, element("summary", {}, `Evidence (${found.evidence.length})`),
      table(["agent", "back end", "what", "where"],
        found.evidence.map((one) => [one.agent, one.back_end, one.what, place(one)]), "Evidence")));
}

const place = (one) => (one.file ? `${one.file}${one.line ? `:${one.line}` : ""}` : "");

function showWarnings(found) {
  section("warnings", `Warnings and notes (${found.length})`,
    table(["code", "kind", "message", "what to do", "where"],
      found.map((one) => [one.code, one.refuses ? "refused" : one.kind, one.message, one.hint,
        one.line && node ? [element("button", { class: "link", onclick: () => list.showLine(one.file, one.line) },
          place(one))] : place(one)]), "Warnings and notes"));
}

const HOOKS = {
  ingress: "comes from a device", prerouting: "comes in, not yet routed", input: "is for this node",
  forward: "goes through this node", output: "is made by this node", postrouting: "goes out, routed",
  egress: "goes to a device",
};

function showHooks() {
  const families = [...new Set(node.hooks.map((one) => one.family))];
  section("hooks", "Hooks and base chains",
    element("p", { class: "hint" },
      "In each hook the kernel calls the chains from top to bottom. Choose a chain to see its rules."),
    ...families.map((family) => element("div", {},
      element("h3", {}, family),
      element("ol", { class: "hooks" }, ...Object.keys(HOOKS)
        .map((hook) => node.hooks.find((one) => one.family === family && one.hook === hook))
        .filter(Boolean).map((hook) => element("li", {},
          element("h4", {}, hook.hook, element("span", { class: "where" }, ` ${HOOKS[hook.hook]}`)),
          element("ol", {}, ...hook.chains.map((chain) => element("li", {}, chainButton(family, chain))))))))));
}

function chainButton(family, chain) {
  const all = Math.max(1, chain.rules);
  return element("button", {
    class: "chain", onclick: () => list.showChain(family, chain.table, chain.chain),
    "data-chain": `${family} ${chain.table} ${chain.chain}`,
  },
  element("strong", {}, `${chain.table} ${chain.chain}`),
  element("span", {}, `${chain.language} ${chain.type}, ${chain.priority === null ? "a priority of bridges" : `priority ${chain.priority}`}${chain.policy ? `, policy ${chain.policy}` : ""}`),
  element("span", {}, counted(chain.rules, "rule"), ...Object.keys(chain.owners).flatMap((owner) => [" ", swatch(owner), owner])),
  bar(Object.entries(chain.owners), all));
}

function bar(parts, all) {
  const made = element("span", { class: "bar", "aria-hidden": "true" });
  for (const [owner, number] of parts) {
    const part = element("span", { class: hueOf(owner) });
    part.style.flexGrow = String(number / all);
    made.append(part);
  }
  return made;
}

// --- rules: only those in sight are in the document ----------------------------------------------

const ROW = 44; // pixels; as --row in the style
const list = node && makeList();

function makeList() {
  const column = Object.fromEntries(node.columns.map((name, index) => [name, index]));
  const texts = node.rows.map((row) => [row[column.table], row[column.chain], row[column.rule], row[column.translation],
    row[column.owner], row[column.codes].join(" ")].join(" ").toLowerCase());
  const wanted = { text: "", owner: "", chain: "", codes: false };
  let shown = node.rows.map((_, index) => index);
  let marked = -1;

  const search = element("input", { type: "search", id: "search", placeholder: "text, chain, address, code", oninput: () => { wanted.text = search.value; filter(); } });
  const ownerChoice = element("select", { id: "owner", onchange: () => { wanted.owner = ownerChoice.value; filter(); } },
    element("option", { value: "" }, "every owner"), ...owners.map((owner) => element("option", { value: owner }, owner)));
  const chains = [...new Set(node.rows.map((row) => `${row[column.family]} ${row[column.table]} ${row[column.chain]}`))];
  const chainChoice = element("select", { id: "chain", onchange: () => { wanted.chain = chainChoice.value; filter(); } },
    element("option", { value: "" }, "every chain"), ...chains.map((chain) => element("option", { value: chain }, chain)));
  const coded = element("input", { type: "checkbox", id: "coded", onchange: () => { wanted.codes = coded.checked; filter(); } });
  const count = element("output", { id: "count", "aria-live": "polite" });
  const inside = element("div", { class: "inside", role: "rowgroup" });
  const window_ = element("div", { class: "window", id: "window", tabindex: "0", role: "table", "aria-label": "Rules", onscroll: draw }, inside);
  const detail = element("div", { id: "detail", "aria-live": "polite" });

  function filter() {
    const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
    shown = [];
    node.rows.forEach((row, index) => {
      if (wanted.owner && row[column.owner] !== wanted.owner) return;
      if (wanted.chain && `${row[column.family]} ${row[column.table]} ${row[column.chain]}` !== wanted.chain) return;
      if (wanted.codes && !row[column.codes].length) return;
      if (words.every((word) => texts[index].includes(word))) shown.push(index);
    });
    window_.scrollTop = 0;
    draw();
  }

  function draw() {
    count.textContent = `${shown.length.toLocaleString("en")} of ${counted(node.rows.length, "rule")}`;
    inside.style.height = `${shown.length * ROW}px`;
    window_.setAttribute("aria-rowcount", String(shown.length));
    const first = Math.max(0, Math.floor(window_.scrollTop / ROW) - 5);
    const last = Math.min(shown.length, first + Math.ceil((window_.clientHeight || 600) / ROW) + 10);
    inside.replaceChildren(...Array.from({ length: last - first }, (_, step) => rowOf(first + step)));
  }

  function rowOf(position) {
    const row = node.rows[shown[position]];
    const made = element("div", {
      class: `row${shown[position] === marked ? " marked" : ""}`, role: "row", "aria-rowindex": String(position + 1),
      onclick: () => choose(position),
    },
    element("span", { role: "cell", class: "where" }, swatch(row[column.owner]), `${row[column.owner]} ${row[column.line] || ""}`),
    element("code", { role: "cell", title: row[column.rule] }, row[column.rule] || "(nft)"),
    element("code", { role: "cell", title: row[column.translation] },
      row[column.translation] || (row[column.codes].length ? row[column.codes].join(" ") : "")));
    made.style.transform = `translateY(${position * ROW}px)`;
    return made;
  }

  function choose(position) {
    marked = shown[position];
    const row = node.rows[marked];
    const facts = [["rule", row[column.rule]], ["translation", row[column.translation]],
      ["chain", `${row[column.family]} ${row[column.table]} ${row[column.chain]}`],
      ["owner", `${row[column.owner]}: ${row[column.why]}`], ["where", `${row[column.file]}:${row[column.line]}`],
      ["codes", row[column.codes].join(" ")],
      ["counted", row[column.packets] === null ? "" : `${row[column.packets]} packets, ${row[column.bytes]} bytes`]];
    detail.replaceChildren(element("dl", {}, ...facts.filter(([, text]) => text)
      .flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, element("code", {}, text))])));
    draw();
  }

  // Up and down go from rule to rule, as in any list.
  window_.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !shown.length) return;
    event.preventDefault();
    const next = Math.min(shown.length - 1, Math.max(0, shown.indexOf(marked) + step));
    if (next * ROW < window_.scrollTop || (next + 1) * ROW > window_.scrollTop + window_.clientHeight) window_.scrollTop = Math.max(0, (next - 3) * ROW);
    choose(next);
  });

  function show() {
    section("rules", `Rules (${node.rows.length.toLocaleString("en")})`,
      element("p", { class: "hint" }, node.translated
        ? "iptables on the left, what it becomes in nft on the right."
        : "This node is not translated as a whole, because rules are refused: the right side has their codes, and rules of nft that are there."),
      element("div", { class: "filters" },
        element("label", { for: "search" }, "Search "), search, element("label", { for: "owner" }, "Owner "), ownerChoice,
        element("label", { for: "chain" }, "Chain "), chainChoice, element("label", {}, coded, " with a code only"), count),
      window_, detail);
    draw();
  }

  function showChain(family, table_, chain) {
    Object.assign(wanted, { chain: `${family} ${table_} ${chain}`, owner: "", text: "", codes: false });
    chainChoice.value = wanted.chain;
    ownerChoice.value = search.value = "";
    coded.checked = false;
    filter();
    window_.scrollIntoView({ block: "center" });
  }

  function showOwner(owner) {
    ownerChoice.value = wanted.owner = owner;
    filter();
    window_.scrollIntoView({ block: "center" });
  }

  function showLine(file, line) {
    Object.assign(wanted, { chain: "", owner: "", text: "", codes: false });
    chainChoice.value = ownerChoice.value = search.value = "";
    coded.checked = false;
    filter();
    const position = shown.findIndex((index) => node.rows[index][column.line] === line && node.rows[index][column.file] === file);
    if (position < 0) return;
    window_.scrollTop = Math.max(0, (position - 3) * ROW);
    choose(position);
    window_.scrollIntoView({ block: "center" });
  }

  return { show, showChain, showOwner, showLine, draw };
}

function showOwners() {
  section("owners", "Who writes rules",
    element("ul", { class: "owners" }, ...node.owners.map((owner) => element("li", {},
      element("button", { onclick: () => list.showOwner(owner.name), "data-owner": owner.name },
        swatch(owner.name), element("strong", {}, owner.name),
        ` ${counted(owner.rules, "rule")}, ${counted(owner.chains, "chain")}${owner.tables ? `, ${counted(owner.tables, "table")} of nft` : ""}`)))));
}

// --- paths of packets ---------------------------------------------------------------------------

const changesOf = (changes) => Object.entries(changes).map(([key, [from, to]]) => `${key} ${from} → ${to}`);

function wayOf(name, steps, outcome) {
  return element("div", { class: "way" }, element("h4", {}, name),
    element("ol", { class: "steps" }, ...steps.filter((step) => step.fits || step.kind !== "rule").map((step) => {
      const made = element("li", { class: `step ${step.kind}` },
        step.kind === "rule" ? element("span", { class: "where" }, `${step.table} ${step.chain}${step.line ? `, line ${step.line}` : ""}`) : null,
        element(step.kind === "rule" ? "code" : "span", {}, step.kind === "chain" ? `${step.table} ${step.chain}: ${step.text}` : step.text),
        ...[...changesOf(step.changes), ...step.events, step.binding, step.verdict].filter(Boolean)
          .map((text) => element("em", {}, text)));
      made.style.marginInlineStart = `${Math.min(step.depth, 12)}em`;
      return made;
    })),
    element("p", { class: "outcome" }, element("strong", {}, outcome.verdict),
      ...[...outcome.bindings, ...changesOf(outcome.changes)].map((text) => element("em", {}, text))));
}

const showsExplanation = (found) => found && Array.isArray(found.sides) && found.packet && Array.isArray(found.given);

function explanation(found) {
  const differs = Object.entries(found.differences);
  return element("div", { class: "explained" },
    element("p", {}, element("code", {}, found.given.join(" "))),
    element("p", { class: differs.length ? "bad" : "good" }, differs.length
      ? `The sides differ: ${differs.map(([key, both]) => `${key}: ${both.join(" / ")}`).join("; ")}`
      : found.sides.length > 1 ? "Both sides agree." : "One side."),
    element("div", { class: "ways" }, ...found.sides.map((side) => wayOf(`${side.name} (${side.language})`, side.steps, side.outcome))));
}

function showPackets() {
  const shown = element("div", { id: "explained" });
  const choice = element("select", { id: "packet", onchange: () => draw(report.explanations[Number(choice.value)]) },
    ...report.explanations.map((one, index) => element("option", { value: String(index) }, one.given.join(" "))));
  const problem = element("p", { role: "alert", id: "packet-problem" });
  const typed = element("textarea", { id: "typed", rows: "3", spellcheck: "false", oninput: () => {
    problem.textContent = "";
    if (!typed.value.trim()) return;
    const known = report.explanations.find((one) => one.given.join(" ") === typed.value.trim());
    if (known) { draw(known); return; }
    let found = null;
    try { found = JSON.parse(typed.value); } catch { /* said below */ }
    if (showsExplanation(found)) draw(found);
    else problem.textContent = `This page runs no rules. To see this packet here, run vpccni-nft explain NODE --packet '...' --json and paste what it prints, or give --packet to vpccni-nft report.`;
  } });
  function draw(found) { shown.replaceChildren(...(found ? [explanation(found)] : [])); }
  section("packets", "Paths of packets",
    report.explanations.length ? element("p", {}, element("label", { for: "packet" }, "Packet "), choice) : null,
    element("p", {}, element("label", { for: "typed" }, "A packet of the list, or what explain --json prints: ")), typed, problem, shown);
  draw(report.explanations[0]);
}

// --- answers ------------------------------------------------------------------------------------

function headline(answer) {
  const classes = answer.classes.length;
  switch (answer.answer) {
    case "different": {
      const found = classes ? counted(classes, "class", "classes") : counted(answer.packets.length, "packet");
      return `Different: ${found}${answer.reasons.length ? ", and not everything was decided" : ""}`;
    }
    case "equivalent":
      return answer.accepted.every((one) => one.occurs === "no" || one.occurs === "over")
        ? "Equivalent: every packet is treated the same."
        : "Equivalent, but for what is accepted.";
    default:
      return "Unknown";
  }
}

function showAnswer(answer, index) {
  const places = (answer.paths.length ? answer.paths : answer.status).map((one) => [one.hook, one.status, one.reasons.map((reason) => reason.message).join("; ")]);
  section(`answer-${index}`, report.answers.length > 1 ? `Answer ${index + 1}` : "Answer",
    element("p", { class: `headline ${{ equivalent: "good", different: "bad" }[answer.answer] || "open"}` }, headline(answer)),
    ...answer.classes.map((one, number) => classOf(answer, one, number)),
    answer.accepted.length ? table(["accepted", "occurs", "why"], answer.accepted.map((one) => [one.code || one.name, one.occurs, one.why]), "Accepted differences") : null,
    answer.reasons.length ? table(["reason"], answer.reasons.map((one) => [one.message]), "Reasons") : null,
    answer.assumptions.length ? element("details", {}, element("summary", {}, `Assumed (${answer.assumptions.length})`), element("ul", {}, ...answer.assumptions.map((one) => element("li", {}, one)))) : null,
    places.length ? element("details", {}, element("summary", {}, `Places compared (${places.length})`), table(["place", "status", "reasons"], places, "Places compared")) : null);
}

function classOf(answer, found, number) {
  const packet = answer.packets[found.packet];
  const differs = packet && packet.differences ? Object.entries(packet.differences).map(([key, both]) => `${key}: ${both.join(" / ")}`) : [];
  return element("details", { class: "class" },
    element("summary", {}, `${number + 1}. ${found.family} ${found.hook}: ${differs.join("; ") || "differs"}`,
      found.like > 1 ? element("span", { class: "where" }, ` ×${found.like}`) : null,
      element("code", {}, found.texts[0] || "every packet of these rules")),
    ...found.texts.slice(1).map((text) => element("p", {}, "or ", element("code", {}, text))),
    found.whole ? null : element("p", {}, "or others of these rules, which no short condition describes"),
    packet ? element("p", {}, "for example ", element("code", {}, typeof packet.packet === "string" ? packet.packet : JSON.stringify(packet.packet))) : null,
    packet ? element("div", { class: "ways" }, wayOf("before", packet.before.steps, packet.before.outcome), wayOf("after", packet.after.steps, packet.after.outcome)) : null);
}

// --- a change of modes, for those who sign it ----------------------------------------------------

const written = (pairs) => element("dl", {}, ...pairs.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text || "not known")]));
const modeOf = (one) => `${one.mode} mode${one.form ? ` (as of Kubernetes ${one.form})` : ""}, ${counted(one.services, "port")} of Services`;
const churnOf = (one) => [`${one.service} ${one.protocol}`, one.what, one.gone.join(", "), one.new.join(", "), one.fields.join(", ")];

function verdict(answer) {
  if (answer.leftovers.length) return ["bad", "Stop: something of the mode that was left is still there."];
  if (answer.answer === "different") return ["bad", "Stop: packets are treated differently, and that is not accepted."];
  if (answer.answer !== "equivalent") return ["open", "Not decided: it is not known whether the node does what it did."];
  if (answer.not_known.length) return ["open", "Not decided: it is not known whether a change of a Service was meant."];
  return ["good", "Go on: the node does what it did, but for what is accepted below."];
}

function showChange(answer) {
  const { about } = answer;
  const [tone, said] = verdict(answer);
  section("change", "Change of modes",
    element("p", { class: `headline ${tone}` }, said),
    table(["", "before", "after"], [
      ["record", ...about.files], ["host", about.before.host, about.after.host], ["taken", about.before.taken, about.after.taken],
      ["kube-proxy", modeOf(answer.before), modeOf(answer.after)], ["kernel", about.before.kernel, about.after.kernel],
      ["nft", about.before.nft, about.after.nft], ["iptables", about.before.iptables, about.after.iptables],
    ], "Before and after"),
    about.notes.length ? element("ul", {}, ...about.notes.map((one) => element("li", { class: "open" }, one))) : null,
    written([["proved by", about.writer], ["order of base chains", about.order], ["accepted", about.accept.join(", ") || "nothing"],
      ["left over", answer.leftovers.map((one) => one.message).join("; ") || "nothing"],
      ["not known", answer.not_known.join("; ") || "nothing"]]),
    answer.changes.length ? table(["Service", "what", "gone", "new", "fields"], answer.changes.map(churnOf), "Services that changed between the records") : null,
    element("div", { class: "sign" }, ...["Name", "Date", "Signature"].map((what) => element("p", {}, `${what}:`))));
}

// --- a fleet ------------------------------------------------------------------------------------

function showFleet() {
  const shapes = new Map();
  for (const one of report.fleet) {
    const modes = ["kubelet", "kube_proxy", "cni"].map((agent) => one.detection[agent].join(", ") || "unknown");
    const key = JSON.stringify([one.answer, ...modes, Object.keys(one.codes)]);
    if (!shapes.has(key)) shapes.set(key, { one, modes, nodes: [] });
    shapes.get(key).nodes.push(one.node);
  }
  section("fleet", `Fleet: ${counted(report.fleet.length, "node")}, ${counted(shapes.size, "shape")}`,
    table(["nodes", "answer", "kubelet", "kube-proxy", "CNI", "codes", "names"],
      [...shapes.values()].sort((a, b) => b.nodes.length - a.nodes.length).map(({ one, modes, nodes }) => [nodes.length, one.answer, ...modes,
        Object.keys(one.codes).join(" "), [element("details", {}, element("summary", {}, nodes[0]), element("ul", {}, ...nodes.map((name) => element("li", {}, name))))]]),
      "Shapes of nodes"));
}

report.answers.filter((one) => one.about).forEach(showChange);
report.answers.forEach(showAnswer);
if (report.fleet.length) showFleet();
if (report.detection) showModes(report.detection);
if (node) {
  showOwners();
  if (node.diagnostics.length) showWarnings(node.diagnostics);
  showHooks();
  list.show();
  window.addEventListener("resize", list.draw);
}
if (node || report.explanations.length) showPackets();

import assert from "node:assert/strict";
import { FolderState } from "./folder_state.ts";

const item = (name: string, extra = "") => `
  - apiVersion: novaedge.io/v1alpha1
    kind: ProxyBackend
    metadata: { name: ${name} }
    spec: { endpoints: [{ address: 127.0.0.1, port: 80 }]${extra} }`;
const LIST = `apiVersion: v1\nkind: List\nitems:${item("a")}${item("b", ", lbPolicy: Best")}${
  item("c")
}\n`;

const names = (file: string, text: string) => {
  const state = new FolderState();
  const { changes } = state.apply([[file, text]]);
  const served = changes.filter(({ object }) => object !== null).map(({ key }) => key.name);
  const problems = state.problems().map(({ line, path }) => `${line} ${path}`);
  return { served: served.sort(), problems };
};

Deno.test("the items of a List are objects of their own, with their lines", () => {
  assert.deepEqual(names("all.yaml", LIST), { served: ["a", "c"], problems: ["8 spec.lbPolicy"] });
  assert.deepEqual(
    names(
      "all.yaml",
      `# first\n---\n${LIST}---\n${item("d").replace("  - ", "    ").replace(/^ {4}/gm, "")}`,
    ),
    { served: ["a", "c", "d"], problems: ["10 spec.lbPolicy"] },
  );
});

Deno.test("a List in JSON is read as well", () => {
  const body = (name: string) => ({
    apiVersion: "novaedge.io/v1alpha1",
    kind: "ProxyBackend",
    metadata: { name },
    spec: { endpoints: [{ address: "127.0.0.1", port: 80 }] },
  });
  const list = { apiVersion: "v1", kind: "List", items: [body("a"), body("b")] };
  for (const indent of [0, 2, "\t"]) {
    const { served, problems } = names("all.json", JSON.stringify(list, null, indent));
    assert.deepEqual([served, problems], [["a", "b"], []]);
  }
  assert.deepEqual(names("one.json", JSON.stringify(body("a"))).served, ["a"]);
});

Deno.test("a List that cannot be read is refused at its place, and other documents are not", () => {
  const { served, problems } = names(
    "all.yaml",
    `${LIST.replace("items:", "items: [")}\n---\n${
      item("d").replace("  - ", "    ").replace(/^ {4}/gm, "")
    }`,
  );
  assert.deepEqual(served, ["d"]);
  assert.equal(problems.length, 1);
});

Deno.test("bug: a List that cannot be read left open what its policy was to restrict", () => {
  const policy = `
  - apiVersion: novaedge.io/v1alpha1
    kind: ProxyPolicy
    metadata: { name: guard }
    spec: { type: IPAllowList, targetRef: { kind: ProxyRoute, name: r }, ipList: { cidrs: [10.0.0.0/8] } }`;
  const list = `apiVersion: v1\nkind: List\nitems:${policy}\n`;
  for (
    const broken of [list.replace("] }", " }"), list.replace("v1\n", "v11\n"), `${list}\t- x\n`]
  ) {
    const state = new FolderState();
    const { changes } = state.apply([["l.yaml", broken]]);
    const closes = changes.some(({ key, object }) => key.kind === "ProxyPolicy" && object !== null);
    assert.ok(closes || state.withheld, broken);
  }
});

Deno.test("a List of many items costs no more than the limit on documents", () => {
  const { served, problems } = names(
    "all.yaml",
    `kind: List\napiVersion: v1\nitems: [${"0,".repeat(200_000)}0]\n`,
  );
  assert.deepEqual(served, []);
  assert.equal(problems.length, 1);
});

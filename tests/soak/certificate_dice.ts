import { Buffer } from "node:buffer";
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { Authority, type Pair } from "../support/authority.ts";
import {
  constructed,
  copyTree,
  type DerNode,
  leaf,
  nodesOf,
  readTree,
  writeTree,
} from "../support/der_tree.ts";
import type { Dice } from "./fuzz_dice.ts";

const PEM = /-----BEGIN CERTIFICATE-----([^-]+)/g;
/** Bytes to which a part is made to grow; with the rest it is just within the limit of a chain. */
const LONGEST = 60_000;
const MOST_IN_CHAIN = 12;
const TAGS = [
  ...[
    0x01,
    0x02,
    0x03,
    0x04,
    0x05,
    0x06,
    0x0a,
    0x0c,
    0x13,
    0x14,
    0x16,
    0x17,
    0x18,
    0x1c,
    0x1e,
    0x1f,
  ],
  ...[0x30, 0x31, 0x80, 0x81, 0x82, 0x86, 0x87, 0x88, 0xa0, 0xa3, 0xa4, 0x00, 0xff, 0x24, 0x23],
];
const OID = 0x06;
const OIDS = [
  "550403",
  "55040a",
  "551d11",
  "551d13",
  "551d0f",
  "551d25",
  "551d1e",
  "551d23",
  "551d0e",
];
const NAMES = [
  ...["boss.test", "*.test", "BOSS.TEST", "x, DNS:boss.test", "boss.test\0.evil", "\u{1F600}"],
  ...[
    'a";URI=x',
    "a\r\nx: y",
    "spiffe://a/b",
    "10.0.0.1",
    "*",
    "",
    ".",
    "x".repeat(300),
    "a+b,c;d\\",
  ],
];
/** Where fields stand in the part of a certificate that is signed, behind the version. */
const PLACE = { algorithm: 1, issuer: 2, validity: 3, subject: 4, publicKey: 5 } as const;
const ECDSA_SHA256 = "300a06082a8648ce3d040302";

/** Certificates of a PEM text, DER. */
export function dersOf(pem: string): Buffer[] {
  return Array.from(pem.matchAll(PEM), ([, text]) => Buffer.from(text, "base64"));
}

export function pemOf(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${
    Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n")
  }\n-----END CERTIFICATE-----\n`;
}

/** An authority whose key signs whatever it is given. */
interface Signer {
  readonly der: Buffer;
  readonly key: KeyObject;
}

/** Makes certificates and chains from choices: changed, spliced, forged, and signed in spite of that. */
export class CertificateDice {
  /** The authority that listeners trust, DER. */
  readonly trusted: Buffer;
  readonly #samples: DerNode[];
  readonly #signers: readonly Signer[];
  readonly #keys: readonly DerNode[];
  /** Private key, PEM, of every certificate that `signed` makes. */
  readonly leafKey: string;
  readonly #leafSpki: DerNode;

  private constructor(readonly dice: Dice, samples: Buffer[], signers: Signer[]) {
    this.#samples = samples.map(readTree);
    this.#signers = signers;
    this.trusted = signers[0].der;
    this.#keys = this.#samples.map((sample) => partOf(sample, PLACE.publicKey));
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.leafKey = String(privateKey.export({ type: "pkcs8", format: "pem" }));
    this.#leafSpki = readTree(publicKey.export({ type: "spki", format: "der" }));
  }

  static async create(dice: Dice): Promise<CertificateDice> {
    const trusted = await signer("trusted");
    const namesake = await signer("trusted");
    const stranger = await signer("stranger");
    const authority = await Authority.create("samples");
    const subject = {
      ...{ name: "client", dns: ["boss.test"], uris: ["spiffe://a/b"], ips: ["::1", "10.0.0.1"] },
      ...{ emails: ["a@b.test"], organization: "o" },
    };
    const leafs = [await authority.issue(subject), await authority.issue({ name: "plain" })];
    const below = await authority.subordinate("below", { pathLength: 0 });
    const testdata = new URL("../../dataplane/net/x509/testdata/", import.meta.url);
    const files = ["clients.pem", "strange_issuers.pem"]
      .map((name) => Deno.readTextFileSync(new URL(name, testdata)));
    const pems = [...leafs.map(({ certificate }) => certificate), below.certificate, ...files];
    const samples = pems.flatMap(dersOf);
    return new CertificateDice(dice, samples, [trusted, namesake, stranger]);
  }

  /** A chain as a client may send it. */
  chain(): Buffer[] {
    const { dice } = this;
    const chain = [dice.below(2) === 0 ? this.certificate() : this.signed()];
    const length = dice.pick([1, 2, 3, MOST_IN_CHAIN]);
    while (chain.length < length) {
      const more = [
        () => this.certificate(),
        () => this.signed(),
        () => dice.pick(this.#signers).der,
        () => this.#issuerOf(chain.at(-1)!),
        () => dice.pick(chain),
      ];
      chain.push(dice.pick(more)());
    }
    return chain;
  }

  /** A chain that a client with `leafKey` can present. */
  presentable(): Buffer[] {
    return [this.signed(this.#signers[0]), ...this.chain().slice(1)];
  }

  /** A certificate that was changed after it was signed. */
  certificate(): Buffer {
    return this.#written(this.#changed(copyTree(this.dice.pick(this.#samples))));
  }

  /** A certificate of any content with a key that `leafKey` is, and a signature that holds. */
  signed(by?: Signer, from: readonly DerNode[] = this.#samples): Buffer {
    const { dice } = this;
    const sample = copyTree(dice.pick(from));
    const signer = by ?? dice.pick([this.#signers[0], ...this.#signers]);
    setPart(sample, PLACE.publicKey, copyTree(this.#leafSpki));
    if (dice.below(6) > 0) this.#changeWithin(sample);
    setPart(sample, PLACE.issuer, copyTree(partOf(readTree(signer.der), PLACE.subject)));
    return sealed(sample, signer);
  }

  /** A certificate for servers that the trusted authority signed, with names that were changed. */
  server(): Pair {
    // The first sample has the names that backends are asked for.
    const from = this.dice.below(2) === 0 ? this.#samples : this.#samples.slice(0, 1);
    return { certificate: pemOf(this.signed(this.#signers[0], from)), key: this.leafKey };
  }

  /** One whose subject is the issuer of another. */
  #issuerOf(der: Buffer): Buffer {
    const { dice } = this;
    const issuer = copyTree(dice.pick(this.#samples));
    try {
      setPart(issuer, PLACE.subject, copyTree(partOf(readTree(der), PLACE.issuer)));
      if (dice.below(2) === 0) {
        setPart(issuer, PLACE.issuer, copyTree(partOf(issuer, PLACE.subject)));
      }
      setPart(issuer, PLACE.publicKey, copyTree(dice.pick(this.#keys)));
    } catch {
      // The other is not even the form of a certificate.
    }
    return writeTree(issuer);
  }

  #changed(tree: DerNode): DerNode {
    for (let count = 1 + this.dice.below(4); count > 0; count--) this.#change(tree);
    return tree;
  }

  /** Changes names and extensions, which a signature does not keep from being anything. */
  #changeWithin(certificate: DerNode): void {
    const { dice } = this;
    const parts = certificate.children![0].children!;
    for (let count = 1 + dice.below(3); count > 0; count--) {
      this.#change(parts[dice.pick([parts.length - 1, parts.length - 1, parts.length - 3])]);
    }
  }

  #change(tree: DerNode): void {
    const { dice } = this;
    const nodes = nodesOf(tree);
    const node = dice.pick(nodes);
    const parents = nodes.filter(({ children }) => children !== null && children.length > 0);
    const parent = parents.length === 0 ? null : dice.pick(parents);
    const at = parent === null ? 0 : dice.below(parent.children!.length);
    dice.pick([
      () => parent?.children?.splice(at, 1),
      () => parent?.children?.splice(at, 0, copyTree(parent.children![at])),
      () => parent?.children?.reverse(),
      () => node.tag = dice.pick(TAGS),
      () => node.lie = dice.pick([1, -1, 128, 65_536, 2 ** 31, -1_000]),
      () => this.#replace(node, leaf(dice.pick(TAGS), dice.bytes(dice.below(40)))),
      () => this.#name(nodes),
      () => this.#name(nodes),
      () => this.#identifier(nodes),
      () => this.#replace(node, copyTree(dice.pick(nodesOf(dice.pick(this.#samples))))),
      () => this.#nest(node),
      () => parent === null ? undefined : this.#multiply(parent, at),
      () => this.#grow(node),
    ])();
  }

  #replace(node: DerNode, other: DerNode): void {
    Object.assign(node, other);
  }

  /** Gives a text another value and perhaps another type. */
  #name(nodes: readonly DerNode[]): void {
    const { dice } = this;
    const texts = nodes.filter(({ tag }) =>
      [0x0c, 0x13, 0x16, 0x81, 0x82, 0x86, 0x87].includes(tag)
    );
    if (texts.length === 0) return;
    const node = dice.pick(texts);
    node.content = Buffer.from(dice.pick(NAMES));
    node.children = null;
    if (dice.below(3) === 0) node.tag = dice.pick(TAGS);
  }

  #identifier(nodes: readonly DerNode[]): void {
    const { dice } = this;
    const identifiers = nodes.filter(({ tag }) => tag === OID);
    if (identifiers.length === 0) return;
    dice.pick(identifiers).content = dice.below(3) === 0
      ? Buffer.alloc(dice.pick([0, 9, 1_000, LONGEST]), dice.pick([0x80, 0xff, 0x01]))
      : Buffer.from(dice.pick(OIDS), "hex");
  }

  #nest(node: DerNode): void {
    const tag = this.dice.pick([0x30, 0x31, 0xa0, 0x04]);
    const deepest = writeTree(node).length < 1_000 ? 1_000 : 30;
    for (let depth = this.dice.pick([1, 30, deepest]); depth > 0; depth--) {
      this.#replace(node, constructed(tag, { ...node }));
    }
  }

  /** As many copies of a child as fit. */
  #multiply(parent: DerNode, at: number): void {
    const child = parent.children![at];
    const count = Math.min(
      this.dice.pick([3, 70, 10_000]),
      Math.floor(LONGEST / writeTree(child).length),
    );
    for (let i = 0; i < count; i++) parent.children!.push(copyTree(child));
  }

  #grow(node: DerNode): void {
    if (node.children !== null) return;
    const byte = this.dice.pick([0x00, 0x20, 0x2a, 0x2e, 0x30, 0x41, 0x7f, 0x80, 0xff]);
    node.content = Buffer.alloc(this.dice.pick([100, 9_000, LONGEST]), byte);
  }

  #written(tree: DerNode): Buffer {
    const bytes = writeTree(tree).subarray(0, 2 * LONGEST);
    return this.dice.below(10) === 0 ? bytes.subarray(0, this.dice.below(bytes.length)) : bytes;
  }
}

async function signer(name: string): Promise<Signer> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const sample = readTree(dersOf((await Authority.create(name)).certificate)[0]);
  setPart(sample, PLACE.publicKey, readTree(publicKey.export({ type: "spki", format: "der" })));
  const key = createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" }));
  return { der: sealed(sample, { der: Buffer.alloc(0), key }), key };
}

/** The bytes of a certificate with a signature that holds. */
function sealed(certificate: DerNode, { key }: Signer): Buffer {
  const algorithm = readTree(Buffer.from(ECDSA_SHA256, "hex"));
  setPart(certificate, PLACE.algorithm, algorithm);
  const [tbs] = certificate.children!;
  const signature = Buffer.concat([Buffer.of(0), sign("sha256", writeTree(tbs), key)]);
  return writeTree(constructed(0x30, tbs, algorithm, leaf(0x03, signature)));
}

function offsetOf({ children }: DerNode): number {
  return children?.[0]?.tag === 0xa0 ? 1 : 0;
}

/** A field of what is signed. @throws {Error} where there is none */
function partOf(certificate: DerNode, place: number): DerNode {
  const tbs = certificate.children?.[0];
  const part = tbs?.children?.[offsetOf(tbs) + place];
  if (part === undefined) throw new Error("not the form of a certificate");
  return part;
}

function setPart(certificate: DerNode, place: number, part: DerNode): void {
  partOf(certificate, place);
  const [tbs] = certificate.children!;
  tbs.children![offsetOf(tbs) + place] = part;
}

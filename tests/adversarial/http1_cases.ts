/** One attack in raw bytes. Behind each the test sends another request, which a refusal must swallow. */
export interface Http1Case {
  readonly name: string;
  readonly send: string;
  /** Statuses that come back before the connection ends; [] for an end without an answer. */
  readonly answers: readonly number[];
  /** Targets that reach the backend, in order, without the request behind. */
  readonly reaches?: readonly string[];
  /** Nothing but FIN is sent behind it. */
  readonly alone?: boolean;
  /** What the bytes that reach the backend must have, or must not have. */
  readonly has?: RegExp;
  readonly hasNot?: RegExp;
  /** Methods of the requests sent, where HEAD is among them. */
  readonly methods?: readonly string[];
  /** Body of the first request at the backend. */
  readonly body?: string;
}

const GET = (...fields: string[]) =>
  `GET /t HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`;
const POST = (fields: readonly string[], body: string) =>
  `POST /t HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n${body}`;
const CHUNKED = "Transfer-Encoding: chunked";
const INNER = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

const refused = (name: string, send: string, status = 400): Http1Case => ({
  name,
  send,
  answers: [status],
});
const passed = (name: string, send: string, more: Partial<Http1Case> = {}): Http1Case => ({
  name,
  send,
  answers: [200],
  reaches: ["/t"],
  ...more,
});

const LENGTHS: readonly string[] = [
  ...["+5", "-5", "-0", "0x5", "5x", "x5", "5 5", "5, 5", "5,5", "5;5", "5.0", "5e0", "", " ", ","],
  ...["'5'", '"5"', "99999999999999999999", "9007199254740993", "1000000000000000"],
  ...[
    "18446744073709551621",
    "\x0b5",
    "5\x0b",
    "5\x0c",
    "\xa05",
    "٥",
    "5\t5",
    "1_0",
    "five",
    "NaN",
  ],
];

const CODINGS: readonly string[] = [
  ...["chunked, identity", "identity, chunked", "identity", "chunked, chunked", "gzip, chunked"],
  ...["chunked, gzip", "gzip", "xchunked", "chunkedx", "chunked;q=1", "chunked ;a", '"chunked"'],
  ...["'chunked'", "chunked,", ",chunked", ", chunked", "chunked, ", "\x0bchunked", "chunked\x0b"],
  ...["chunked\x0c", "\xa0chunked", "ch unked", "chun\tked", "", "cow", "chunked\\", "[chunked]"],
  ...["c\xa9hunked", "chunke", "trailers", "chunked foo"],
];

const CHUNKS: readonly [string, string][] = [
  ["a plus sign", "+5\r\nhello\r\n0\r\n\r\n"],
  ["a minus sign", "-5\r\nhello\r\n0\r\n\r\n"],
  ["0x", "0x5\r\nhello\r\n0\r\n\r\n"],
  ["a space before", " 5\r\nhello\r\n0\r\n\r\n"],
  ["a space behind", "5 \r\nhello\r\n0\r\n\r\n"],
  ["a tab behind", "5\t\r\nhello\r\n0\r\n\r\n"],
  ["a space before the extension", "5 ;a=b\r\nhello\r\n0\r\n\r\n"],
  ["no digit", "\r\nhello\r\n0\r\n\r\n"],
  ["an extension without size", ";a\r\nhello\r\n0\r\n\r\n"],
  ["a letter that is no digit", "5g\r\nhello\r\n0\r\n\r\n"],
  ["a quoted size", '"5"\r\nhello\r\n0\r\n\r\n'],
  ["an underscore", "0_5\r\nhello\r\n0\r\n\r\n"],
  ["more than 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"],
  ["exactly 2^64 - 1", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n"],
  ["LF for CRLF behind the size", "5\nhello\r\n0\r\n\r\n"],
  ["CR for CRLF behind the size", "5\rhello\r\n0\r\n\r\n"],
  ["CRCRLF behind the size", "5\r\r\nhello\r\n0\r\n\r\n"],
  ["LF for CRLF behind the data", "5\r\nhello\n0\r\n\r\n"],
  ["no CRLF behind the data", "5\r\nhello0\r\n\r\n"],
  ["more data than the size", "4\r\nhello\r\n0\r\n\r\n"],
  ["LF for CRLF behind the last chunk", "5\r\nhello\r\n0\n\r\n"],
  ["LF for the final CRLF", "5\r\nhello\r\n0\r\n\n"],
  ["CR and something in place of the final CRLF", "5\r\nhello\r\n0\r\n\rX"],
  ["NUL in an extension", "5;a=\0\r\nhello\r\n0\r\n\r\n"],
  ["LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"],
  ["CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"],
  ["LF in a quoted extension", '5;a="\n5\r\nhello\r\n0\r\n\r\n'],
  ["DEL in an extension", "5;a\x7f\r\nhello\r\n0\r\n\r\n"],
  ["an endless extension", `5;${"a".repeat(300)}\r\nhello\r\n0\r\n\r\n`],
  ["endless zeros", `${"0".repeat(300)}5\r\nhello\r\n0\r\n\r\n`],
  ["an extension of the last chunk without end", `5\r\nhello\r\n0;${"a".repeat(300)}\r\n\r\n`],
  ["a trailer with a space before the colon", "5\r\nhello\r\n0\r\nX-A : b\r\n\r\n"],
  ["a trailer without colon", "5\r\nhello\r\n0\r\nX-A\r\n\r\n"],
  ["a folded trailer", "5\r\nhello\r\n0\r\nX-A: b\r\n c\r\n\r\n"],
  ["a trailer with LF", "5\r\nhello\r\n0\r\nX-A: b\nX-B: c\r\n\r\n"],
  ["a trailer with NUL", "5\r\nhello\r\n0\r\nX-A: \0\r\n\r\n"],
  ["a request line for a trailer", "5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["endless trailers", `5\r\nhello\r\n0\r\nX-A: ${"a".repeat(10_000)}\r\n\r\n`],
  ["many trailers", `5\r\nhello\r\n0\r\n${"X-A: b\r\n".repeat(200)}\r\n`],
];

/** Controls that must stand nowhere in a head; CR and LF have cases of their own. */
const CONTROLS = [0, 1, 7, 8, 11, 12, 14, 27, 31, 127];
const hex = (byte: number) => `0x${byte.toString(16).padStart(2, "0")}`;

const FORBIDDEN_TRAILERS: readonly string[] = [
  ...["Transfer-Encoding: chunked", "Content-Length: 5", "Host: evil", "Connection: close"],
  ...["Authorization: Basic eDp5", "Cookie: a=b", "Content-Type: text/html", "TE: trailers"],
  ...["X-Forwarded-For: 1.2.3.4", "Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4", "Trailer: x"],
  ...["X-Forwarded-Client-Cert: x", "Proxy-Authorization: x", "Upgrade: h2c", "Keep-Alive: a"],
  ...["Expect: 100-continue", "Set-Cookie: a=b", "X-Request-Id: evil", "HTTP2-Settings: AAMA"],
  ...["Transfer_Encoding: chunked", "X_Forwarded_For: 1.2.3.4", "Content_Length: 5"],
];

const BAD_HOSTS: readonly string[] = [
  ...["", "a b", "a\tb", "a/b", "a?b", "a#b", "a@b", "user@a", "user:pw@a", "a\\b", "<a>", "a:b"],
  ...[
    "a:80x",
    "a:+80",
    "a:-80",
    "a:80:80",
    "a:80,b",
    "[::1",
    "::1",
    "[::1]x",
    "[::1]:x",
    "]",
    "[",
    ":80",
  ],
  ...["http://a", "a\xff", 'a"b', "a^b", "a|b", "a`b", "a{b}", "[::1]]", "[a[b]"],
];

const PROTECTED: readonly string[] = [
  ...["Host", "Content-Length", "Transfer-Encoding", "Authorization", "Cookie", "X-Forwarded-For"],
  ...["X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Client-Cert"],
  ...["X-Real-IP", "Forwarded"],
];

const SHADOWS: readonly string[] = [
  ...[
    "content_length",
    "Content_Length",
    "transfer_encoding",
    "x_forwarded_for",
    "x-forwarded_for",
  ],
  ...["X_Forwarded_Proto", "X_Forwarded_Host", "x_real_ip", "x_forwarded_client_cert"],
  ...["X_Request_Id", "proxy_authorization", "HTTP2_Settings", "keep_alive", "x_forwarded-for"],
];

const framing: Http1Case[] = [
  refused("CL and TE", POST(["Content-Length: 5", CHUNKED], "0\r\n\r\n")),
  refused("TE and CL", POST([CHUNKED, "Content-Length: 5"], `0\r\n\r\n${INNER}`)),
  refused("CL 0 and TE", POST(["Content-Length: 0", CHUNKED], "0\r\n\r\n")),
  refused(
    "TE in capitals and CL",
    POST(["TRANSFER-ENCODING: CHUNKED", "content-length: 5"], "0\r\n\r\n"),
  ),
  refused(
    "CL before and behind TE",
    POST(["Content-Length: 5", CHUNKED, "Content-Length: 5"], "0\r\n\r\n"),
  ),
  refused(
    "CL and TE of one who says identity",
    POST(["Content-Length: 5", "Transfer-Encoding: identity"], "hello"),
  ),
  refused(
    "TE nominated beside CL",
    POST(["Connection: Transfer-Encoding", CHUNKED, "Content-Length: 5"], "0\r\n\r\n"),
  ),
  refused("CL nominated", POST(["Connection: Content-Length", "Content-Length: 5"], "hello")),
  refused("two equal CL", POST(["Content-Length: 5", "Content-Length: 5"], "hello")),
  refused("two different CL", POST(["Content-Length: 0", "Content-Length: 35"], INNER)),
  ...LENGTHS.map((value) =>
    refused(`CL ${JSON.stringify(value)}`, POST([`Content-Length: ${value}`], "hello"))
  ),
  refused("CL with a space before the colon", POST(["Content-Length : 5"], "hello")),
  refused("CL with a tab before the colon", POST(["Content-Length\t: 5"], "hello")),
  refused("CL after a space", POST([" Content-Length: 5"], "hello")),
  refused("CL folded", POST(["Content-Length:\r\n 5"], "hello")),
  passed("CL without white space", POST(["Content-Length:5"], "hello"), { body: "hello" }),
  passed("CL with white space around", POST(["Content-Length: \t 5 \t"], "hello"), {
    body: "hello",
  }),
  passed("CL with leading zeros", POST(["Content-Length: 0005"], "hello"), { body: "hello" }),
  ...CODINGS.map((value) =>
    refused(`TE ${JSON.stringify(value)}`, POST([`Transfer-Encoding: ${value}`], `0\r\n\r\n`))
  ),
  refused("TE twice", POST([CHUNKED, CHUNKED], "0\r\n\r\n")),
  refused(
    "TE chunked and TE identity",
    POST([CHUNKED, "Transfer-Encoding: identity"], "0\r\n\r\n"),
  ),
  refused(
    "TE identity and TE chunked",
    POST(["Transfer-Encoding: identity", CHUNKED], "0\r\n\r\n"),
  ),
  refused("TE with a space before the colon", POST(["Transfer-Encoding : chunked"], "0\r\n\r\n")),
  refused("TE folded", POST(["Transfer-Encoding:\r\n chunked"], "0\r\n\r\n")),
  refused("TE with NUL in its name", POST(["Transfer-\0Encoding: chunked"], "0\r\n\r\n")),
  refused("TE behind a bare LF", POST(["X: y\nTransfer-Encoding: chunked"], "0\r\n\r\n")),
  refused("TE behind a bare CR", POST(["X: y\rTransfer-Encoding: chunked"], "0\r\n\r\n")),
  passed("TE in capitals", POST(["TRANSFER-ENCODING: CHUNKED"], "5\r\nhello\r\n0\r\n\r\n"), {
    body: "hello",
  }),
  passed("TE with white space around", POST(["Transfer-Encoding: \tchunked \t"], "0\r\n\r\n"), {
    body: "",
  }),
  {
    name: "a chunk whose size would be 5 in 32 bits",
    send: POST([CHUNKED], "100000005\r\nhello\r\n0\r\n\r\n"),
    answers: [],
    alone: true,
  },
  refused(
    "TE of HTTP/1.0",
    "POST /t HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ),
  refused(
    "TE of HTTP/1.0 that wants to stay",
    "POST /t HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ),
  refused(
    "TE and CL of HTTP/1.0",
    `POST /t HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${INNER}`,
  ),
  ...CHUNKS.map(([name, body]) => refused(`chunk with ${name}`, POST([CHUNKED], body))),
  passed(
    "chunk sizes in both cases with zeros and an extension",
    POST([CHUNKED], `00A;x="y z"\r\n${"x".repeat(10)}\r\n0a\r\n${"y".repeat(10)}\r\n000\r\n\r\n`),
    {
      body: "x".repeat(10) + "y".repeat(10),
      hasNot: /y z/,
    },
  ),
  ...FORBIDDEN_TRAILERS.map((line) =>
    passed(`trailer ${line}`, POST([CHUNKED], `5\r\nhello\r\n0\r\n${line}\r\nX-Good: 1\r\n\r\n`), {
      body: "hello",
      hasNot: new RegExp(`\r\n0\r\n(?:[^\r]+\r\n)*${line}\r\n`, "i"),
      has: /\r\n0\r\nX-Good: 1\r\n\r\n/i,
    })
  ),
  passed(
    "a GET with content",
    `GET /t HTTP/1.1\r\nHost: a\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`,
    { body: INNER },
  ),
  passed(
    "a chunked GET",
    `GET /t HTTP/1.1\r\nHost: a\r\n${CHUNKED}\r\n\r\n23\r\n${INNER}\r\n0\r\n\r\n`,
    { body: INNER },
  ),
];

const lines: Http1Case[] = [
  { name: "a word that is no request", send: "SSH-2.0-OpenSSH_9.6\r\n\r\n", answers: [400] },
  { name: "words of another protocol", send: "EHLO mail MAIL\r\n\r\n", answers: [] },
  refused("bare LF behind the request line", "GET /t HTTP/1.1\nHost: a\r\n\r\n"),
  refused("bare LF behind a field", "GET /t HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
  refused("bare LF for the empty line", "GET /t HTTP/1.1\r\nHost: a\r\n\n"),
  refused("bare CR behind a field", "GET /t HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"),
  refused("CRCRLF behind a field", "GET /t HTTP/1.1\r\nHost: a\r\r\n\r\n"),
  refused("CR in place of the empty line", "GET /t HTTP/1.1\r\nHost: a\r\n\rX\r\n"),
  refused("a folded field", GET("X-A: b", " c")),
  refused("a field folded with a tab", GET("X-A: b", "\tc")),
  refused("a fold before the first field", "GET /t HTTP/1.1\r\n Host: a\r\n\r\n"),
  refused("a line of spaces", "GET /t HTTP/1.1\r\nHost: a\r\n \r\n\r\n"),
  refused("a space before the colon", GET("X-A : b")),
  refused("a tab before the colon", GET("X-A\t: b")),
  refused("a space before the colon of Host", "GET /t HTTP/1.1\r\nHost : a\r\n\r\n"),
  refused("a field without name", GET(": b")),
  refused("a field without colon", GET("X-A")),
  refused("a space in a name", GET("X A: b")),
  ...[...'()<>@,;\\"/[]?={}\xe9'].map((character) =>
    refused(`${character} in a name`, GET(`X${character}A: b`))
  ),
  ...CONTROLS.flatMap((byte) => {
    const character = String.fromCharCode(byte);
    return [
      refused(`${hex(byte)} in a name`, GET(`X${character}A: b`)),
      refused(`${hex(byte)} in a value`, GET(`X-A: b${character}c`)),
      refused(`${hex(byte)} at a value's end`, GET(`X-A: b${character}`)),
      refused(`${hex(byte)} in a target`, `GET /t${character}x HTTP/1.1\r\nHost: a\r\n\r\n`),
      refused(`${hex(byte)} in a Host`, `GET /t HTTP/1.1\r\nHost: a${character}b\r\n\r\n`),
    ];
  }),
  refused("two spaces behind the method", "GET  /t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("two spaces before the version", "GET /t  HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a tab behind the method", "GET\t/t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a space in the target", "GET /t x HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a request within the target", "GET /t HTTP/1.1 /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a space behind the version", "GET /t HTTP/1.1 \r\nHost: a\r\n\r\n"),
  refused("a space before the method", " GET /t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("no version", "GET /t\r\nHost: a\r\n\r\n"),
  refused("a version in lower case", "GET /t http/1.1\r\nHost: a\r\n\r\n"),
  refused("HTTP/1.10", "GET /t HTTP/1.10\r\nHost: a\r\n\r\n"),
  refused("HTTP/01.1", "GET /t HTTP/01.1\r\nHost: a\r\n\r\n", 505),
  refused("HTTP/1.2", "GET /t HTTP/1.2\r\nHost: a\r\n\r\n", 505),
  refused("HTTP/0.9", "GET /t HTTP/0.9\r\nHost: a\r\n\r\n", 505),
  refused("HTTP/2.0", "GET /t HTTP/2.0\r\nHost: a\r\n\r\n", 505),
  refused("HTTP/3", "GET /t HTTP/3\r\nHost: a\r\n\r\n", 505),
  refused("HTTP/1,1", "GET /t HTTP/1,1\r\nHost: a\r\n\r\n", 505),
  refused("something behind the version", "GET /t HTTP/1.1x\r\nHost: a\r\n\r\n"),
  refused("a raw obs-text target", "GET /t\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a fragment", "GET /t#x HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a fragment behind a query", "GET /t?a#x HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a relative target", "GET t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("an authority for a target", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("an asterisk with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a query alone", "GET ?x HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a method with a colon", "GE:T /t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a method in brackets", "(GET) /t HTTP/1.1\r\nHost: a\r\n\r\n"),
  passed("a method in lower case is another method", "get /t HTTP/1.1\r\nHost: a\r\n\r\n", {
    has: /^get /,
  }),
  passed("an unknown method", "BREW /t HTTP/1.1\r\nHost: a\r\n\r\n", { has: /^BREW / }),
  refused("the HTTP/2 preface, wrong at its end", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", 505),
];

const hosts: Http1Case[] = [
  refused("no Host", "GET /t HTTP/1.1\r\nX: y\r\n\r\n"),
  refused("two Hosts", "GET /t HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
  refused("two Hosts in two cases", "GET /t HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n"),
  refused("two Hosts of HTTP/1.0", "GET /t HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
  ...BAD_HOSTS.map((host) =>
    refused(`Host ${JSON.stringify(host)}`, `GET /t HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  ),
  ...["a:80", "A.Example.com:8080", "[::1]", "[::1]:80", "a_b", "a."].map((host) =>
    passed(`Host ${host}`, `GET /t HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  ),
  passed("no Host in HTTP/1.0", "GET /t HTTP/1.0\r\n\r\n", { alone: true }),
  refused("Host that is not the target's", "GET http://b/t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused(
    "Host with another port than the target",
    "GET http://a:81/t HTTP/1.1\r\nHost: a:80\r\n\r\n",
  ),
  refused(
    "Host that only begins like the target's",
    "GET http://a.evil/t HTTP/1.1\r\nHost: a\r\n\r\n",
  ),
  refused("no Host beside an absolute target", "GET http://a/t HTTP/1.1\r\n\r\n"),
  refused("userinfo in the target", "GET http://a@b/t HTTP/1.1\r\nHost: b\r\n\r\n"),
  refused(
    "userinfo that looks like the host",
    "GET http://a:80@b/t HTTP/1.1\r\nHost: a:80\r\n\r\n",
  ),
  refused("no authority in the target", "GET http:///t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("no slashes in the target", "GET http:a/t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("another scheme", "GET ftp://a/t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a backslash authority", "GET http:\\\\a\\t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a backslash behind the authority", "GET http://a\\@b/t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("a fragment behind the authority", "GET http://a#@b/t HTTP/1.1\r\nHost: a\r\n\r\n"),
  refused("two hosts by comma in a field", "GET /t HTTP/1.1\r\nHost: a, b\r\n\r\n"),
  passed("an absolute target", "GET http://a/t HTTP/1.1\r\nHost: a\r\n\r\n", {
    has: /^GET \/t HTTP\/1\.1\r\n/,
  }),
  passed("an absolute target in capitals", "GET HTTP://A/t HTTP/1.1\r\nHost: a\r\n\r\n"),
  passed("an absolute target without path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", {
    reaches: ["/"],
  }),
  passed(
    "an absolute target with a query only",
    "GET http://a?x=/../y HTTP/1.1\r\nHost: a\r\n\r\n",
    { reaches: ["/?x=/../y"] },
  ),
  passed("an absolute target in the query", "GET /t?u=http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", {
    reaches: ["/t?u=http://b/"],
  }),
];

const fields: Http1Case[] = [
  ...PROTECTED.map((name) =>
    refused(`Connection names ${name}`, GET(`Connection: close, ${name}`))
  ),
  ...PROTECTED.map((name) =>
    refused(
      `Connection names itself, then ${name}`,
      GET("Connection: Connection", `Connection: ${name}`),
    )
  ),
  refused("Connection names a protected field without spaces", GET("Connection: x,cookie,y")),
  refused(
    "Connection names a protected field in a second line",
    GET("Connection: x", "Connection: COOKIE"),
  ),
  passed(
    "Connection names another field",
    GET("Connection: X-Secret", "X-Secret: 1", "X-Other: 2"),
    {
      has: /X-Other: 2/,
      hasNot: /X-Secret/,
    },
  ),
  passed(
    "hop-by-hop fields",
    GET(
      ...[
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic eDp5",
      ],
      ...["TE: gzip", "Trailer: x", "Upgrade: foo"],
    ),
    { hasNot: /keep-alive|proxy-|trailer|upgrade|gzip/i },
  ),
  passed(
    "forwarding fields of a stranger",
    GET(
      ...["X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Forwarded-Proto: evil"],
      ...["X-Forwarded-Host: evil", "Forwarded: for=6.6.6.6;host=evil", "X-Forwarded-Port: 666"],
      ...["X-Forwarded-Client-Cert: Subject=evil", "X-Forwarded-Prefix: /evil"],
    ),
    { hasNot: /evil|6\.6\.6\.6|666/ },
  ),
  ...SHADOWS.map((name) => refused(`${name} shadows a protected field`, GET(`${name}: 5`))),
  passed("an underscore name of no importance", GET("X_Custom: 1"), { has: /X_Custom: 1/ }),
  ...["", "100", "200-ok", "100-continue, x", "continue", "100-continue\x80"].map((value) =>
    refused(`Expect ${JSON.stringify(value)}`, GET(`Expect: ${value}`), 417)
  ),
  { name: "TRACE", send: "TRACE /t HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n\r\n", answers: [405] },
  {
    name: "TRACE with content",
    send: `TRACE /t HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n${INNER}`,
    answers: [405],
  },
  { name: "CONNECT", send: "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", answers: [501] },
  { name: "CONNECT with a path", send: "CONNECT /t HTTP/1.1\r\nHost: a\r\n\r\n", answers: [501] },
  {
    name: "CONNECT to an internal address",
    send: "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n",
    answers: [501],
  },
  passed(
    "Upgrade to h2c",
    GET("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAA"),
    {
      hasNot: /upgrade|settings|h2c/i,
    },
  ),
  passed("HTTP2-Settings alone", GET("HTTP2-Settings: AAMAAABkAARAAAAA"), { hasNot: /settings/i }),
  passed("Upgrade to an unknown token", GET("Connection: upgrade", "Upgrade: foo/2"), {
    hasNot: /upgrade|foo/i,
  }),
  passed("Upgrade to two tokens", GET("Connection: upgrade", "Upgrade: websocket, h2c"), {
    hasNot: /upgrade|h2c/i,
  }),
  passed("Upgrade that Connection does not name", GET("Upgrade: websocket"), {
    hasNot: /upgrade/i,
  }),
  passed(
    "Upgrade in two fields",
    GET("Connection: upgrade", "Upgrade: websocket", "Upgrade: websocket"),
    { hasNot: /upgrade/i },
  ),
  passed(
    "Upgrade with content",
    POST(["Connection: upgrade", "Upgrade: websocket", "Content-Length: 35"], INNER),
    {
      hasNot: /upgrade/i,
      body: INNER,
    },
  ),
  passed(
    "Upgrade with chunked content",
    POST(["Connection: upgrade", "Upgrade: websocket", CHUNKED], `23\r\n${INNER}\r\n0\r\n\r\n`),
    {
      hasNot: /upgrade/i,
      body: INNER,
    },
  ),
  passed(
    "Upgrade that the backend does not take",
    GET("Connection: upgrade", "Upgrade: websocket"),
    { has: /upgrade: websocket/i },
  ),
  {
    ...passed(
      "Upgrade of a HEAD",
      "HEAD /t HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ),
    methods: ["HEAD"],
    has: /^HEAD /,
  },
  passed(
    "Upgrade of a POST without content",
    POST(["Connection: upgrade", "Upgrade: websocket", "Content-Length: 0"], ""),
    {
      has: /^POST /,
    },
  ),
  passed(
    "Upgrade of a DELETE",
    "DELETE /t HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    {
      has: /^DELETE /,
    },
  ),
  passed(
    "Upgrade of HTTP/1.0",
    "GET /t HTTP/1.0\r\nHost: a\r\nConnection: upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n",
    {
      hasNot: /upgrade/i,
    },
  ),
  passed("OPTIONS", "OPTIONS /t HTTP/1.1\r\nHost: a\r\n\r\n", { has: /^OPTIONS \/t / }),
];

/** What a path becomes at the backend; null when it is refused. */
const PATHS: readonly [string, string | null][] = [
  ["/t/%2e%2e/x", "/x"],
  ["/t/%2E%2e/x", "/x"],
  ["/t/.%2e/x", "/x"],
  ["/t/../x", "/x"],
  ["/t/./x", "/t/x"],
  ["/t/%2e/x", "/t/x"],
  ["/../../x", "/x"],
  ["/..", "/"],
  ["/t/..", "/"],
  ["/t/.", "/t/"],
  ["/t/...", "/t/..."],
  ["/t/.x", "/t/.x"],
  ["/t/x..", "/t/x.."],
  ["/%74/x", "/t/x"],
  ["/t%7ex", "/t~x"],
  ["/t%20x", "/t%20x"],
  ["/t%2fx", "/t%2Fx"],
  ["/t%2Fx", "/t%2Fx"],
  ["/t%5cx", "/t%5Cx"],
  ["/t%3Bx", "/t%3Bx"],
  ["/t%25%32%65", "/t%252e"],
  ["/t%252e%252e/x", "/t%252e%252e/x"],
  ["/t%c0%ae%c0%ae/x", "/t%C0%AE%C0%AE/x"],
  ["/t%e9", "/t%E9"],
  ["/t;p=1/x", "/t;p=1/x"],
  ["/t/;/x", "/t/;/x"],
  ["//t//x", "//t//x"],
  ["/t//../x", "/t/x"],
  ["/t?a=%2e%2e/%00\\&b=../", "/t?a=%2e%2e/%00\\&b=../"],
  ["/t?", "/t?"],
  ["/t??", "/t??"],
  ["/t/%00", null],
  ["/t%00/../x", null],
  ["/t%", null],
  ["/t%2", null],
  ["/t%zz", null],
  ["/t%2gx", null],
  ["/t%u002e", null],
  ["/t%-1", null],
  ["/t\\x", null],
  ["\\t", null],
  ["/t/..\\x", null],
  ["/t/..%2fx", null],
  ["/t/..%2Fx", null],
  ["/t/%2e%2e%2fx", null],
  ["/t%2f..%2fx", null],
  ["/t%2f../x", null],
  ["/t/..%5cx", null],
  ["/t%5c..%5cx", null],
  ["/t/.%2fx", null],
  ["/t/..;/x", null],
  ["/t/..;p=1/x", null],
  ["/t/%2e%2e;/x", null],
  ["/t/.;/x", null],
  ["/t/..;", null],
  ["/t/x%2f..;/y", null],
];

const paths: Http1Case[] = PATHS.map(([path, canonical]) =>
  canonical === null
    // The connection may stay open: the request was understood, only not taken.
    ? { name: `path ${path}`, send: `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, answers: [400] }
    : passed(`path ${path}`, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, { reaches: [canonical] })
);

const sizes: Http1Case[] = [
  refused("a head over its limit", GET(`X-A: ${"a".repeat(70_000)}`), 431),
  refused(
    "a head without end",
    `GET /t HTTP/1.1\r\nHost: a\r\n${"X-A: b\r\n".repeat(10_000)}`,
    431,
  ),
  refused("a name over the limit of the head", GET(`${"x".repeat(70_000)}: b`), 431),
  refused("a target over its limit", `GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414),
  refused(
    "a target over the limit of the head",
    `GET /${"x".repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    431,
  ),
  refused("300 fields", GET(...Array.from({ length: 300 }, (_, i) => `X-${i}: ${i}`)), 431),
  refused("a long method", `${"X".repeat(40)} /t HTTP/1.1\r\nHost: a\r\n\r\n`),
  refused("a method without end", "X".repeat(70_000)),
  passed("a long name", GET(`${"x".repeat(8_000)}: b`)),
  passed(
    "a target just within its limit",
    `GET /t?${"x".repeat(16_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    {
      reaches: [`/t?${"x".repeat(16_000)}`],
    },
  ),
  passed("127 fields", GET(...Array.from({ length: 127 }, (_, i) => `X-${i}: ${i}`)), {
    has: /X-126: 126/,
  }),
];

const sequences: Http1Case[] = [
  {
    name: "requests behind Connection: close",
    send: GET("Connection: close") + INNER,
    answers: [200],
    reaches: ["/t"],
  },
  {
    name: "requests behind Connection: close that names itself",
    send: GET("Connection: Connection", "Connection: close") + INNER,
    answers: [200],
    reaches: ["/t"],
  },
  {
    name: "requests behind HTTP/1.0",
    send: `GET /t HTTP/1.0\r\nHost: a\r\n\r\n${INNER}`,
    answers: [200],
    reaches: ["/t"],
  },
  {
    name: "a good request, then a bad one, then another",
    send: `${GET()}GET /t HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${INNER}`,
    answers: [200, 400],
    reaches: ["/t"],
  },
  passed("requests in order", `${GET()}${POST(["Content-Length: 5"], "hello")}${GET()}`, {
    answers: [200, 200, 200],
    reaches: ["/t", "/t", "/t"],
  }),
  passed("an empty line between requests", `${GET()}\r\n${GET()}`, {
    answers: [200, 200],
    reaches: ["/t", "/t"],
  }),
  passed("an empty line behind the last request, then FIN", `${GET()}\r\n`, { alone: true }),
  {
    name: "two empty lines between requests",
    send: `${GET()}\r\n\r\n${GET()}`,
    answers: [200, 400],
    reaches: ["/t"],
  },
  {
    name: "a bare LF between requests",
    send: `${GET()}\n${GET()}`,
    answers: [200, 400],
    reaches: ["/t"],
  },
  {
    name: "content beyond Content-Length",
    send: POST(["Content-Length: 3"], "hel{}"),
    answers: [200, 400],
    reaches: ["/t"],
  },
  {
    name: "HEAD, then GET",
    send: `HEAD /t HTTP/1.1\r\nHost: a\r\n\r\n${GET()}`,
    answers: [200, 200],
    reaches: ["/t", "/t"],
    methods: ["HEAD"],
  },
];

/** Every case; names are unique. */
export const HTTP1_CASES: readonly Http1Case[] = [
  ...framing,
  ...lines,
  ...hosts,
  ...fields,
  ...paths,
  ...sizes,
  ...sequences,
];

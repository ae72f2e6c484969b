import Foundation
import Model
import Testing

import Output

/// The published schema (DESIGN 6): consumers rely on every key and its type.
@Suite struct JSONSchemaTests {
  private static let alertKeys = [
    "schema": "integer", "event": "string", "time": "string", "state": "string", "rule": "string",
    "subject": "string", "direction": "string", "value": "number", "threshold": "number", "unit": "string",
    "interval": "number", "since": "string", "pids": "array", "host": "string", "version": "string",
  ]

  private static let schema: [String: [String: String]] = [
    "usage": [
      "schema": "integer", "event": "string", "time": "string", "interval": "number", "layer": "string",
      "rows": "array", "ended": "object", "balance": "object", "health": "object", "host": "string",
      "version": "string",
    ],
    "ended": ["rows": "integer", "received": "integer", "sent": "integer"],
    "process": [
      "name": "string", "pid": "integer", "uid": "integer", "received": "integer", "sent": "integer",
      "received_rate": "number", "sent_rate": "number", "exited": "boolean", "match": "string",
    ],
    "place": ["netns": "integer", "cgroup": "string", "unit": "string", "container": "string"],
    "application": [
      "name": "string", "pids": "array", "received": "integer", "sent": "integer", "received_rate": "number",
      "sent_rate": "number", "match": "string",
    ],
    "balance": [
      "total": "object", "attributed": "object", "forwarded": "object", "kernel": "object",
      "unattributed": "object", "hidden": "object", "loopback": "object", "payload": "object",
      "untracked": "object", "interfaces": "object", "coverage": "number",
    ],
    "total": ["received": "integer", "sent": "integer"],
    "unattributed": ["received": "integer", "sent": "integer", "reasons": "object"],
    "reasons": [
      "exited": "integer", "ambiguous": "integer", "no_socket": "integer", "denied": "integer",
      "no_holder": "integer",
    ],
    "health": [
      "flows": "integer", "missed_events": "integer", "unheard_ends": "integer", "vanished": "integer",
      "denied": "integer",
      "uncounted": "integer", "offloaded": "integer", "interrupted_dumps": "integer", "malformed": "integer",
      "failed_reads": "integer", "dropped": "integer", "namespaces": "integer",
      "unread_namespaces": "integer",
      "evicted": "integer", "abandoned_searches": "integer", "dropped_notifications": "integer",
      "skipped_reports": "integer", "lost_entries": "integer", "counter_resets": "integer",
      "dropped_records": "integer",
    ],
    "exited": [
      "name": "string", "processes": "integer", "received": "integer", "sent": "integer",
      "received_rate": "number", "sent_rate": "number", "exited": "boolean", "match": "string",
    ],
    "remainder": [
      "name": "string", "kind": "string", "received": "integer", "sent": "integer", "received_rate": "number",
      "sent_rate": "number",
    ],
    "firing": alertKeys.merging(["count": "integer"]) { first, _ in first },
    "resolved": alertKeys.merging(["reason": "string"]) { first, _ in first },
    "warning": [
      "schema": "integer", "event": "string", "time": "string", "state": "string", "code": "string",
      "text": "string", "host": "string", "version": "string",
    ],
  ]

  @Test func `every key of a report has its type`() throws {
    let rows = [
      process("a", total: (1, 2), moved: (1, 1)), application("b", total: (1, 2), moved: (1, 1)),
      UsageRow(
        name: "c", subject: .exited(processes: 2), total: Usage(received: 9, sent: 9),
        moved: Usage(received: 1, sent: 1)),
      UsageRow(name: "(kernel)", subject: .remainder, total: .zero, moved: Usage(received: 1, sent: 1)),
    ]
    let compared = Balance(
      untracked: Usage(received: 0, sent: 1), interfaces: Usage(received: 1, sent: 7))
    let usage = try check(
      try parse(.usage(report(rows, over: .milliseconds(1500), balance: compared))), "usage")
    guard case .array(let written) = usage["rows"], written.count == 4 else {
      Issue.record("rows are missing")
      return
    }
    _ = try check(written[0], "process")
    _ = try check(written[1], "application")
    _ = try check(written[2], "exited")
    _ = try check(written[3], "remainder")
    _ = try check(usage["ended"], "ended")
    _ = try check(usage["health"], "health")
    let balance = try check(usage["balance"], "balance")
    for part in [
      "total", "attributed", "forwarded", "kernel", "hidden", "loopback", "payload", "untracked",
      "interfaces",
    ] {
      _ = try check(balance[part], "total")
    }
    let unattributed = try check(balance["unattributed"], "unattributed")
    _ = try check(unattributed["reasons"], "reasons")
  }

  @Test func `where no interface moved anything there is no coverage`() throws {
    var renderer = JSONRenderer(origin: sampleOrigin)
    let quiet = renderer.render(.usage(report([])))
    #expect(quiet.contains(#""coverage":null"#))
    let balance = Balance(untracked: Usage(received: 0, sent: 1), interfaces: Usage(received: 2, sent: 1))
    #expect(renderer.render(.usage(report([], balance: balance))).contains(#""coverage":66.67"#))
  }

  @Test func `a process has the keys of its place where they are known, and no others`() throws {
    var row = process("a", total: (1, 2), moved: (1, 1))
    row.place = ProcessPlace(
      cgroup: "/system.slice/\u{1b}.service", unit: "\u{1b}.service", container: "0123456789ab",
      networkNamespace: 4_026_532_000)
    var unplaced = row
    unplaced.place = ProcessPlace(unit: "a.service")
    let usage = try check(try parse(.usage(report([row, unplaced], over: .milliseconds(1500)))), "usage")
    guard case .array(let written) = usage["rows"], case .object(let placed) = written.first,
      case .object(let other) = written.last
    else {
      Issue.record("rows are missing")
      return
    }
    let place = try #require(Self.schema["place"])
    let process = try #require(Self.schema["process"])
    #expect(placed.mapValues(\.kind) == process.merging(place) { first, _ in first })
    #expect(other.mapValues(\.kind) == process.merging(["unit": "string"]) { first, _ in first })
  }

  @Test func `every key of an alert has its type`() throws {
    for state in [Alert.State.firing, .repeated(count: 2)] {
      _ = try check(try parse(.alert(alert(state))), "firing")
    }
    for reason in [Alert.Resolution.below, .gone, .removed] {
      _ = try check(try parse(.alert(alert(.resolved(reason)))), "resolved")
    }
  }

  @Test func `every key of a warning has its type`() throws {
    _ = try check(try parse(.warning(Warning(code: "c", text: "t"), at: sampleTime)), "warning")
  }

  private func parse(_ event: Event) throws -> Value {
    var renderer = JSONRenderer(origin: sampleOrigin)
    return try JSONDecoder().decode(Value.self, from: Data(renderer.render(event).utf8))
  }

  private func check(_ value: Value?, _ name: String) throws -> [String: Value] {
    guard case .object(let object) = value else {
      Issue.record("\(name) is not an object")
      return [:]
    }
    #expect(object.mapValues(\.kind) == Self.schema[name])
    return object
  }
}

/// A parsed JSON value; a number is an integer where it has no fraction.
private enum Value: Decodable {
  case boolean, integer, number, string, null
  case array([Value])
  case object([String: Value])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if (try? container.decode(Bool.self)) != nil {
      self = .boolean
    } else if (try? container.decode(UInt64.self)) != nil {
      self = .integer
    } else if (try? container.decode(Double.self)) != nil {
      self = .number
    } else if (try? container.decode(String.self)) != nil {
      self = .string
    } else if let values = try? container.decode([Value].self) {
      self = .array(values)
    } else {
      self = .object(try container.decode([String: Value].self))
    }
  }

  var kind: String {
    switch self {
    case .boolean: "boolean"
    case .integer: "integer"
    case .number: "number"
    case .string: "string"
    case .null: "null"
    case .array: "array"
    case .object: "object"
    }
  }
}

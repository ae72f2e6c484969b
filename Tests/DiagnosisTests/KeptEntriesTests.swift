import Lab
import KernelLab
import Model
import SystemRuntime
import Testing

@testable import Diagnosis
@testable import Netfilter
@testable import Ownership

/// Entries that have ended and that the running kernel keeps, in a namespace of the test's own.
@Suite(.needs(.namespaces))
struct KeptEntriesTests {
  @Test func `a stalled reader keeps entries in the table until it gives reliability up`() throws {
    try ConntrackLab.inside {
      var events = try ConntrackEvents(receiveBuffer: 4_096)
      var watchdog = ReliabilityWatchdog()
      let before = watchdog.isReliable(fill: events.fill, at: .now)
      try ConntrackLab.makeFlows(500)
      try ConntrackLab.run(["conntrack", "-F"])
      #expect((ConntrackSettings.count() ?? 0) > 400)
      let facts = try HostFacts.read(.netlink, namespaces: false)
      #expect((facts.count ?? 0) > 400 && (facts.kept ?? 0) > 400)
      #expect(facts.findings.contains { $0.isProblem && $0.subject == "ended entries" }, "\(facts)")
      let after = watchdog.isReliable(fill: events.fill, at: .now)
      #expect(before && !after)
      events.setReliable(false)
      // But for what the doctor sent itself.
      #expect(ConntrackLab.eventually { (ConntrackSettings.count() ?? .max) <= 2 })
      #expect(try ConntrackLab.eventually { try NetlinkFlowTable().countOfKept() == 0 })
    }
  }
}

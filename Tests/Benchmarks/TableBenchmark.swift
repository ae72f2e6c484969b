import CNetfilterConntrack
import Glibc
import Kernel
import Model
import Monitors

@main struct B {
  static func main() throws {
    let table = try NetlinkFlowTable()
    var ledger = FlowLedger()
    var flows = FlowSnapshot()
    let clock = ContinuousClock()
    func floor() -> Int {
      let s = unsafe mnl_socket_open2(12, CInt(SOCK_CLOEXEC.rawValue))!
      unsafe mnl_socket_bind(s, 0, 0)
      var req: [UInt8] = [20, 0, 0, 0, 1, 1, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
      var buf = [UInt8](repeating: 0, count: 65536)
      _ = unsafe req.withUnsafeMutableBytes { unsafe mnl_socket_sendto(s, $0.baseAddress, $0.count) }
      var total = 0
      while true {
        let n = unsafe buf.withUnsafeMutableBytes { unsafe mnl_socket_recvfrom(s, $0.baseAddress, $0.count) }
        if n <= 0 { break }
        total += n
        if buf[4] == 3 { break }
      }
      unsafe mnl_socket_close(s)
      return total
    }
    for _ in 0..<5 {
      let f = clock.measure { _ = floor() }
      let d = try clock.measure { try table.read(into: &flows, at: .now) }
      var changes = ledger.advance(to: FlowSnapshot())
      let l = clock.measure { changes = ledger.advance(to: flows) }
      print(flows.livingCount, f, d, l, changes.deltas.count)
    }
  }
}

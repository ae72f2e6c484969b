import SystemPackage
import SystemRuntime
import Testing

@testable import Pipes

@Suite struct DescriptorBudgetTests {
  @Test(
    arguments: [
      (64, 1, 1), (256, 1, 54), (1024, 1, 414), (1024, 100, 266), (1024, 1000, 1), (65_536, 1, 32_190),
    ])
  func `connections get what pipes and the rest leave`(descriptors: Int, services: Int, connections: Int) {
    let budget = DescriptorBudget(descriptors: descriptors)
    #expect(budget.connections(services: services) == connections)
    let all = 2 * connections + 2 * budget.splicePipes + 3 * services + 128
    #expect(all <= descriptors || connections == 1)
  }

  @Test func `the limit is named where it is set, as it was set`() {
    var configuration = PipeConfiguration(port: 1, host: "h", remotePort: 1)
    #expect(configuration.limitName == nil)
    configuration.maxConnections = 1
    #expect(Errno.tooManyOpenFiles.remedy(limit: configuration.limitName).contains("lower --max-conn"))
    configuration.place = "pipes.cfg:1"
    #expect(Errno.tooManyOpenFiles.remedy(limit: configuration.limitName).contains("lower max_conn"))
    #expect(!Errno.tooManyOpenFiles.remedy(limit: nil).contains("lower"))
  }
}

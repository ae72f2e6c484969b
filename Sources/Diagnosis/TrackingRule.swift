import Glibc
import Netfilter

/// The nftables messages (linux/netfilter/nf_tables.h) that make the kernel track connections.
///
/// Tracking is on in a network namespace while some rule there asks for a connection's state. Ours is the
/// least of them: `table inet NAME { chain track { type filter hook output priority filter; ct state new } }`,
/// which accepts, counts and changes nothing.
enum TrackingRule {
  /// The whole batch that adds the table, or fails as one with EEXIST where it exists.
  ///
  /// An owned table is removed by the kernel when the socket that made it closes (NFT_TABLE_F_OWNER, Linux
  /// 5.12), however its process ends.
  static func adding(table: String, owned: Bool) -> [NetlinkRequest] {
    var newTable = message(newTable, flags: create | NetlinkHeader.Flag.exclusive)
    newTable.add(1, text: table)  // NFTA_TABLE_NAME
    if owned { newTable.add(2, bigEndian: UInt32(2)) }  // NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER

    var chain = message(newChain, flags: create)
    chain.add(1, text: table)  // NFTA_CHAIN_TABLE
    chain.add(3, text: "track")  // NFTA_CHAIN_NAME
    chain.addNested(4) { hook in  // NFTA_CHAIN_HOOK
      hook.add(1, bigEndian: UInt32(3))  // NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT
      hook.add(2, bigEndian: UInt32(0))  // NFTA_HOOK_PRIORITY, filter
    }
    chain.add(7, text: "filter")  // NFTA_CHAIN_TYPE

    var rule = message(newRule, flags: create | append)
    rule.add(1, text: table)  // NFTA_RULE_TABLE
    rule.add(2, text: "track")  // NFTA_RULE_CHAIN
    rule.addNested(4) { expressions in  // NFTA_RULE_EXPRESSIONS
      expression("ct", in: &expressions) { ct in
        ct.add(1, bigEndian: register)  // NFTA_CT_DREG
        ct.add(2, bigEndian: UInt32(0))  // NFTA_CT_KEY, NFT_CT_STATE
      }
      expression("bitwise", in: &expressions) { bitwise in
        bitwise.add(1, bigEndian: register)  // NFTA_BITWISE_SREG
        bitwise.add(2, bigEndian: register)  // NFTA_BITWISE_DREG
        bitwise.add(3, bigEndian: UInt32(4))  // NFTA_BITWISE_LEN
        bitwise.addNested(4) { $0.add(1, [stateNew, 0, 0, 0]) }  // NFTA_BITWISE_MASK, NFTA_DATA_VALUE
        bitwise.addNested(5) { $0.add(1, [0, 0, 0, 0]) }  // NFTA_BITWISE_XOR
      }
      expression("cmp", in: &expressions) { cmp in
        cmp.add(1, bigEndian: register)  // NFTA_CMP_SREG
        cmp.add(2, bigEndian: UInt32(1))  // NFTA_CMP_OP, NFT_CMP_NEQ
        cmp.addNested(3) { $0.add(1, [0, 0, 0, 0]) }  // NFTA_CMP_DATA
      }
    }
    return batch([newTable, chain, rule])
  }

  /// The question for a table, which its owner's rights do not hide.
  static func asking(table: String) -> NetlinkRequest {
    var question = message(getTable, flags: 0)
    question.add(1, text: table)  // NFTA_TABLE_NAME
    return question
  }

  private static let newTable: UInt16 = 0  // NFT_MSG_NEWTABLE
  private static let getTable: UInt16 = 1  // NFT_MSG_GETTABLE
  private static let newChain: UInt16 = 3  // NFT_MSG_NEWCHAIN
  private static let newRule: UInt16 = 6  // NFT_MSG_NEWRULE
  private static let subsystem: UInt16 = 10  // NFNL_SUBSYS_NFTABLES
  private static let create = NetlinkHeader.Flag.create
  private static let append: UInt16 = 0x800  // NLM_F_APPEND
  private static let register: UInt32 = 1  // NFT_REG_1
  /// NF_CT_STATE_BIT(IP_CT_NEW), in the low byte of a word in host order (little-endian hosts).
  private static let stateNew: UInt8 = 8
  /// NFPROTO_INET: IPv4 and IPv6.
  private static let inet: UInt8 = 1

  private static func message(_ type: UInt16, flags: UInt16) -> NetlinkRequest {
    NetlinkRequest(
      type: subsystem << 8 | type, flags: flags | NetlinkHeader.Flag.acknowledge,
      fixed: NetlinkRequest.nfgenmsg(family: inet))
  }

  private static func expression(
    _ name: String, in list: inout NetlinkRequest, _ data: (inout NetlinkRequest) -> Void
  ) {
    list.addNested(1) { element in  // NFTA_LIST_ELEM
      element.add(1, text: name)  // NFTA_EXPR_NAME
      element.addNested(2, data)  // NFTA_EXPR_DATA
    }
  }

  private static func batch(_ requests: [NetlinkRequest]) -> [NetlinkRequest] {
    let fixed = NetlinkRequest.nfgenmsg(family: UInt8(AF_UNSPEC), resource: subsystem)
    let begin = NetlinkRequest(type: 0x10, flags: 0, fixed: fixed)  // NFNL_MSG_BATCH_BEGIN
    let end = NetlinkRequest(type: 0x11, flags: 0, fixed: fixed)  // NFNL_MSG_BATCH_END
    return [begin] + requests + [end]
  }
}

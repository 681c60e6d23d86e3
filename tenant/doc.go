// Package tenant knows the tenants, their agents and the domains they trust.
//
// A [Tenant] is one corp's authorization of one suite. Two facts make its status:
// whether WeCom says that the authorization stands, and whether an admin switched
// it off; so a tenant that an admin disabled is still disabled after a re-install.
// A corp can be known by several forms of its id; one table holds every form that
// names a tenant, unique within a suite.
//
// The package also answers the two questions that signing rests on, both without
// a look at the database:
//
//   - What may be trusted? [ParseDomain] reads what an admin typed, brings it to
//     lower-case punycode, and refuses what would trust strangers: public
//     suffixes, hosting suffixes that many share, addresses, single labels.
//   - What does a page's URL name? [PageOf] accepts only the shape that a
//     browser's location.href has, because every URL parser reads that shape the
//     same way; what another parser could read as another host is refused, not
//     repaired. A ticket signs any text, so this is where a stranger's page is
//     kept from a tenant's signature.
//
// Everything that another replica must hear of is appended to changes in the
// transaction that writes it.
package tenant

// Makes nothing. It stops a deployment that keeps a locked audit policy (a parameter) where the policy is not locked, or where
// there is none: the audit trail would go without one, unnoticed.

@allowed(['Locked'])
@description('State of the immutability policy of the container cmk-audit.')
#disable-next-line no-unused-params // it is there to be refused
param auditPolicyState string

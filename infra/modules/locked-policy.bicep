// Makes nothing. It stops a deployment that was told to leave a locked audit policy alone where it is not locked, or where
// there is none: the audit trail would go without one, and nobody would hear of it.

@allowed(['Locked'])
@description('State of the immutability policy of the container cmk-audit.')
#disable-next-line no-unused-params // it is there to be refused
param auditPolicyState string
